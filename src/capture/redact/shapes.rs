//! Finds tokens that no keyword announces, by the lengths of their parts.

use std::ops::Range;

use super::tokens;
use crate::text::bytes::memchr_iter;

/// Shorter runs have no such token, and no part of one.
const MIN_RUN: usize = 20;
/// Shorter runs have no whole token.
const MIN_TOKEN: usize = 40;
/// Shorter runs have no private key of Bitcoin.
const MIN_BITCOIN: usize = 51;

/// Calls `found` for each token in `text`, with its kind.
pub fn scan(text: &str, mut found: impl FnMut(Range<usize>, &'static str)) {
    let bytes = text.as_bytes();
    let mut at = MIN_RUN - 1;
    // Each run of this length covers one of these positions.
    while at < bytes.len() {
        if !is_run_byte(bytes[at]) {
            at += MIN_RUN;
            continue;
        }
        let before = bytes[..at].iter().rev().take_while(|b| is_run_byte(**b)).count();
        let after = bytes[at..].iter().take_while(|b| is_run_byte(**b)).count();
        let (mut start, end) = (at - before, at + after);
        // The `n` of an escaped line break.
        if start > 0 && bytes[start - 1] == b'\\' {
            start += 1;
        }
        let mut any = false;
        if end - start >= MIN_TOKEN {
            in_run(&text[start..end], &mut |range: Range<usize>, kind| {
                any = true;
                found(start + range.start..start + range.end, kind);
            });
        }
        // The token may be split.
        if !any && end - start >= MIN_RUN && tokens::joint_len(bytes, end) > 0 {
            let (joined, positions) = tokens::without_joints(&text[start..]);
            in_run(&joined, &mut |range: Range<usize>, kind| {
                found(start + positions[range.start]..start + positions[range.end - 1] + 1, kind);
            });
        }
        at = end + MIN_RUN;
    }
}

/// The bytes of a run: letters, digits and `_-./:`.
const RUN_BYTES: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        let b = byte as u8;
        table[byte] = b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b'/' | b':');
        byte += 1;
    }
    table
};

fn is_run_byte(byte: u8) -> bool {
    RUN_BYTES[usize::from(byte)]
}

fn in_run(run: &str, found: &mut impl FnMut(Range<usize>, &'static str)) {
    let bytes = run.as_bytes();
    let is_word = |b: &&u8| b.is_ascii_alphanumeric() || matches!(**b, b'_' | b'-');
    let is_hex = |part: &str| part.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let len_after = |at: usize| bytes[at..].iter().take_while(is_word).count();
    for dot in memchr_iter(b'.', bytes) {
        // At most this many bytes, so that a run of words takes linear time.
        let len_before = bytes[..dot].iter().rev().take(29).take_while(is_word).count();
        let first = &run[dot - len_before..dot];
        // Airtable: `pat`, 14 characters, a dot, 64 hexadecimal digits.
        if first.len() == 17
            && first.starts_with("pat")
            && run.get(dot + 1..dot + 65).is_some_and(is_hex)
        {
            found(dot - 17..dot + 65, "airtable-personal-access-token");
        }
        // A bot of Discord: its id, a time and a signature.
        if matches!(first.len(), 23..=28) && first.starts_with(['M', 'N', 'O']) {
            let second = len_after(dot + 1);
            let third_at = dot + 1 + second + 1;
            let has_third = matches!(second, 6 | 7) && bytes.get(third_at - 1) == Some(&b'.');
            let third = if has_third { len_after(third_at) } else { 0 };
            if third >= 27 && first.bytes().any(|b| b.is_ascii_digit()) {
                found(dot - first.len()..third_at + third, "discord-bot-token");
            }
        }
    }
    // A private key of Bitcoin: base58 with a fixed length and first character.
    let is_base58 = |b: u8| b.is_ascii_alphanumeric() && !matches!(b, b'0' | b'O' | b'I' | b'l');
    let may_have_key = run.len() >= MIN_BITCOIN;
    let parts = || run.split(|c: char| !c.is_ascii_alphanumeric());
    for part in may_have_key.then(parts).into_iter().flatten() {
        let is_wif = part.len() == 51 && part.starts_with('5')
            || part.len() == 52 && part.starts_with(['K', 'L']);
        let has = |test: fn(&u8) -> bool| part.as_bytes().iter().any(test);
        if is_wif
            && has(u8::is_ascii_digit)
            && has(u8::is_ascii_lowercase)
            && has(u8::is_ascii_uppercase)
            && part.bytes().all(is_base58)
        {
            let at = part.as_ptr() as usize - run.as_ptr() as usize;
            found(at..at + part.len(), "bitcoin-private-key");
        }
    }
    // Asana: `1/` or `2/`, one or two ids, 32 hexadecimal digits.
    for colon in memchr_iter(b':', bytes) {
        let is_secret = run.get(colon + 1..colon + 33).is_some_and(is_hex);
        let is_id = |b: &&u8| b.is_ascii_digit() || **b == b'/';
        let len = bytes[..colon].iter().rev().take(40).take_while(is_id).count();
        let ids = &run[colon - len..colon];
        if is_secret && ids.len() >= 16 && ids.contains('/') {
            found(colon - len..colon + 33, "asana-personal-access-token");
        }
    }
}
