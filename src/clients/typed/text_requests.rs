//! Requests about a text: `translate to German: …`, `is this sentence grammatical? …`. The text is data,
//! whoever wrote it, and no rule of the user.

use crate::text::Words;

/// Words of a request about a text that may follow without a mark.
const ABOUT_TEXT: Words = Words(
    "translate|proofread|rephrase|paraphrase|reword|summarize|summarise|grammatical|grammar|spelling|\
     übersetze|übersetz|übersetzen|korrigiere|traduis|traduire|traduisez|reformule|corrige|traduce|\
     traducir|traduzca|traduci|traduz|переведи",
);

/// The same in several words.
const PHRASES: &[&str] = &[
    "answer this",
    "answer that",
    "reply to this",
    "respond to this",
    "this sentence",
    "this wording",
    "this paragraph",
    "this phrase",
    "what he says",
    "what she says",
    "what they say",
    "what he wrote",
    "what she wrote",
    "what he wants",
    "what she wants",
    "was er sagt",
    "was sie sagt",
    "ce qu'il dit",
    "lo que dice",
    "diesen satz",
    "cette phrase",
    "esta frase",
];

/// Words of a request whose text follows a colon.
const BEFORE_COLON: Words = Words(
    "explain|summary|answer|reply|respond|input|readme|changelog|docs|documentation|comment|docstring|\
     placeholder|caption|label|tooltip|headline|translation|erkläre|fasse|antworte|eingabe|explique|\
     résume|réponds|entrée|explica|resume|responde|entrada|翻译|翻譯|翻訳",
);

const COLON_PHRASES: &[&str] = &[
    "test case",
    "what does",
    "what do",
    "what is meant by",
    "this commit message",
    "the commit message",
];

/// Words of a rule: `Always explain the cause first: …` asks about no text.
const RULES: Words =
    Words("always|never|must|should|we|now|immer|nie|wir|jetzt|toujours|jamais|nous|siempre|nunca");

/// Where the text begins that a line asks about. At the end of the line, the text follows.
pub fn about_text(line: &str) -> Option<usize> {
    const MAX_REQUEST: usize = 120;
    let low = line.to_lowercase();
    let names = |part: &str, words: Words| {
        part.split(|c: char| !c.is_alphanumeric()).any(|word| words.are(word))
    };
    let has = |part: &str, words: Words, phrases: &[&str]| {
        !names(part, RULES)
            && (names(part, words) || phrases.iter().any(|phrase| part.contains(phrase)))
    };
    if low.len() == line.len() {
        let colon = low.char_indices().find(|(at, c)| {
            let after = &low[at + c.len_utf8()..];
            matches!(c, ':' | '：') && (after.is_empty() || after.starts_with(' ') || *c == '：')
        });
        if let Some((at, c)) = colon.filter(|(at, _)| *at <= MAX_REQUEST) {
            let before = low[..at].rsplit(['.', '!', '?']).next().unwrap_or_default();
            let asks = has(before, ABOUT_TEXT, PHRASES) || has(before, BEFORE_COLON, COLON_PHRASES);
            return asks.then_some(at + c.len_utf8());
        }
        if let Some(at) = low.find('?').filter(|at| *at <= MAX_REQUEST) {
            return has(&low[..at], ABOUT_TEXT, PHRASES).then_some(at + 1);
        }
    }
    let begins = low
        .split_whitespace()
        .take(4)
        .any(|word| ABOUT_TEXT.are(word.trim_matches(|c: char| !c.is_alphanumeric())));
    let points = ["this", "that", "following", "diesen", "das", "ce", "ceci", "esto"];
    let points = low.split(|c: char| !c.is_alphanumeric()).any(|word| points.contains(&word));
    let asks = begins && points || PHRASES.iter().any(|phrase| low.ends_with(phrase));
    (asks && !names(&low, RULES)).then_some(line.len())
}

/// Whether a letter begins with this line: `Hi team,`.
pub fn greets(line: &str) -> bool {
    const GREETINGS: Words = Words(
        "hi|hello|hey|dear|hallo|liebe|lieber|guten|bonjour|salut|cher|chère|hola|estimado|estimada|\
         ciao|olá|здравствуйте|привет",
    );
    const MAX_WORDS: usize = 5;
    let words: Vec<&str> = line.split_whitespace().collect();
    line.ends_with([',', '!'])
        && (2..=MAX_WORDS).contains(&words.len())
        && GREETINGS.are(words[0].trim_matches(',').to_lowercase().as_str())
}

/// Whether a letter ends with this line: `Best,`.
pub fn signs_off(line: &str) -> bool {
    const SIGNATURES: &[&str] = &[
        "best",
        "best regards",
        "kind regards",
        "regards",
        "cheers",
        "thanks",
        "thank you",
        "sincerely",
        "viele grüße",
        "grüße",
        "mit freundlichen grüßen",
        "mfg",
        "cordialement",
        "bien à vous",
        "saludos",
        "un saludo",
    ];
    let low = line.to_lowercase();
    let bare = low.trim_end_matches([',', '!', '.']);
    bare.len() < low.len() && SIGNATURES.contains(&bare)
}
