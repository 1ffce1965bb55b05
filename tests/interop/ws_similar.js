// Messages that show whether a compressor keeps its context.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';

// 1400 characters that do not compress well alone. With this and an id, messages shrink to almost nothing where the
// compressor sees the one before: where it keeps its context, and has a window of 2 KiB or more.
const WORDS = 'alpha bravo charlie delta echo foxtrot golf hotel india juliett kilo lima mike november oscar papa'.split(' ');
const digits = [0, 1, 2, 3].map((id) => createHash('sha256').update(`${id}`).digest('hex')).join('');
const text = [...digits].map((digit) => WORDS[parseInt(digit, 16)]).join(' ');
export const SIMILAR = Array.from({ length: 100 }, (_, id) => `${id}: ${text}`);

// Whether the similar messages of this side took as many bytes on the wire as its context allows.
export function check(side, agreed, ratio, ownBits = 15) {
  const bits = Math.min(ownBits, Number(agreed.match(`${side}_max_window_bits=(\\d+)`)?.[1] ?? 15));
  const takeover = !agreed.includes(`${side}_no_context_takeover`) && bits >= 11;
  const [least, most] = takeover ? [0, 0.1] : [0.12, 0.8];
  assert.ok(least < ratio && ratio < most, `the ${side} compressed to ${ratio} with ${agreed}`);
}
