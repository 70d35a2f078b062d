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
  miss: "No rule took the call, and no recording has its match key.",
  validation: "Bedrock would refuse such a request, so it was refused before anything could answer.",
  overlay: "A rule or fault took the call and cannot do what it says; the message tells why.",
  control: "bedtape itself.",
};
