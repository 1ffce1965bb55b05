// How codes, numbers and programs are told to the visitor.

const CLOSE_CODES = {
  1000: ["Closed politely", "Both sides said goodbye."],
  1001: ["The server is going away", "It is shutting down, and said so first."],
  1002: ["Protocol error", "One side broke the rules of the protocol."],
  1003: ["Unsupported data", "One side was sent a kind of message it does not take."],
  1005: ["Closed without a code", "A goodbye that gave no reason."],
  1006: ["Connection lost", "It broke off without a goodbye."],
  1007: ["Invalid text", "A text message was not valid UTF-8."],
  1008: ["Against the rules of the server", "The server does not allow what was asked."],
  1009: ["Message too big", "A message was over the limit."],
  1011: ["The server failed", "Its handler ended with an error."],
  1012: ["The server is restarting", "It will be back in a moment."],
  1013: ["Try again later", "The server is overloaded."],
  1014: ["Bad gateway", "A server behind the server gave a bad answer."],
};
export const ASKABLE = { 1000: "normal", 1001: "going away", 1008: "policy", 1011: "server error", 1012: "restart", 1013: "try later", 4000: "a private code" };
export const NEVER_OPENED = ["The server cannot be reached", "It is not running, or it refused the connection."];

export const closeWords = (code) => CLOSE_CODES[code] ?? ["Closed by the application", "With a code of its own."];

export const percent = (value) => value.toFixed(value < 9.95 ? 1 : 0);
export const millis = (value) => value.toFixed(value < 9.95 ? 2 : value < 99.5 ? 1 : 0);
export const count = (value) => value.toLocaleString("en");

export function bytes(value) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  const power = Math.min(units.length - 1, Math.floor(Math.log2(Math.max(1, value)) / 10));
  const scaled = value / 1024 ** power;
  return [scaled.toFixed(power === 0 || scaled >= 99.5 ? 0 : scaled >= 9.95 ? 1 : 2), units[power]];
}

export function duration(ms) {
  const s = Math.max(0, Math.floor(ms / 1000));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min${s % 60 ? ` ${s % 60} s` : ""}`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ${Math.floor(s / 60) % 60} min`;
  return `${Math.floor(s / 86400)} d ${Math.floor(s / 3600) % 24} h`;
}

// "Firefox 142 on Linux" out of what browsers say they are; other programs by their first word.
export function program(agent) {
  if (!agent) return "unknown";
  const browsers = [[/Edg\/(\d+)/, "Edge"], [/OPR\/(\d+)/, "Opera"], [/Firefox\/(\d+)/, "Firefox"],
    [/HeadlessChrome\/(\d+)/, "Headless Chrome"], [/Chrome\/(\d+)/, "Chrome"], [/Version\/(\d+).*Safari/, "Safari"]];
  const systems = [[/Android/, "Android"], [/iPhone|iPad/, "iOS"], [/Windows/, "Windows"], [/Mac OS X/, "macOS"], [/CrOS/, "ChromeOS"], [/Linux/, "Linux"]];
  const browser = browsers.find(([pattern]) => pattern.test(agent));
  if (!browser) return agent.split(" ")[0].replace("/", " ").slice(0, 40);
  const system = systems.find(([pattern]) => pattern.test(agent));
  return `${browser[1]} ${agent.match(browser[0])[1]}${system ? ` on ${system[1]}` : ""}`;
}
