// How times, amounts and reasons are said.

export const clock = (seconds) => {
  const date = new Date(seconds * 1000);
  const two = (number, digits = 2) => String(number).padStart(digits, "0");
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${two(date.getMilliseconds(), 3)}`;
};

export const lasted = (seconds) => {
  if (seconds < 0.0001) return "<0.1 ms";
  if (seconds < 0.01) return `${(seconds * 1000).toFixed(1)} ms`;
  return seconds < 1 ? `${Math.round(seconds * 1000)} ms` : `${seconds.toFixed(2)} s`;
};

export const sized = (bytes) => (bytes < 10_000 ? `${bytes} B` : `${(bytes / 1024).toFixed(1)} KiB`);

export const count = (number, one, many = `${one}s`) => `${number.toLocaleString("en")} ${number === 1 ? one : many}`;

/** Why a call got its answer, by what answered. */
export const WHY = {
  cassette: "The request has the match key of this recording.",
  rule: "This rule was the first that took the call.",
  fault: "This fault took the call, in place of any answer.",
  default: "Nothing else answered, so the server gave its default answer.",
  miss: "No rule took the call, and no recording has its match key.",
  upstream: "Nothing else answered, so another server was asked: the recorder, or the server of --upstream.",
  validation: "Bedrock would refuse such a request, so it was refused before anything could answer.",
  simulation: "A simulated feature of the service answered, so that no model got the request.",
  overlay: "A rule or fault took the call and cannot do what it says; the message tells why.",
  control: "bedtape itself.",
};

/** The part that the names begin with, up to a separator. Empty for one name, and if a name has another beginning. */
export function commonStart(names) {
  if (names.length < 2) return "";
  const [first, last] = [names.reduce((a, b) => (a < b ? a : b)), names.reduce((a, b) => (a > b ? a : b))];
  let at = 0;
  while (at < first.length && first[at] === last[at]) at += 1;
  return first.slice(0, Math.max(first.lastIndexOf("/", at - 1), first.lastIndexOf(":", at - 1)) + 1);
}
