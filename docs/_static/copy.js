// A button on each block of code copies it. Of a terminal, it copies the commands: no prompt, no output.
"use strict";

/** The text to copy. terminal: whether lines that begin with "$ " are commands, and the others output. */
function textToCopy(text, terminal) {
  if (!terminal || !/^\$ /m.test(text)) return text;
  const commands = [];
  let goesOn = false;
  for (const line of text.split("\n")) {
    const begins = line.startsWith("$ ");
    const continues = commands.length > 0 && (line.startsWith("> ") || goesOn);
    if (begins || continues) commands.push(begins || line.startsWith("> ") ? line.slice(2) : line);
    goesOn = (begins || continues) && line.endsWith("\\");
  }
  return commands.join("\n") + "\n";
}

function addButton(block) {
  const source = block.querySelector("pre");
  const button = document.createElement("button");
  button.type = "button";
  button.className = "copy";
  button.textContent = "Copy";
  button.setAttribute("aria-label", "Copy this block");
  button.addEventListener("click", async () => {
    const terminal = block.classList.contains("highlight-console");
    await navigator.clipboard.writeText(textToCopy(source.textContent, terminal));
    button.textContent = "Copied";
    setTimeout(() => (button.textContent = "Copy"), 2000);
  });
  block.append(button);
}

if (typeof document === "undefined") module.exports = textToCopy;
else
  document.addEventListener("DOMContentLoaded", () => {
    for (const block of document.querySelectorAll("div[class*='highlight-']")) addButton(block);
  });
