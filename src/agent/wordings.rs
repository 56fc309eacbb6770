//! The wordings of providers' errors: one table, [`wordings.tsv`](wordings.tsv).

/// What an error is about, as its text says. In the order in which they are looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    TooLong,
    Moderation,
    Quota,
    Key,
    RateLimit,
    Overload,
}

impl Class {
    const ALL: [(&'static str, Class); 6] = [
        ("too_long", Class::TooLong),
        ("moderation", Class::Moderation),
        ("quota", Class::Quota),
        ("key", Class::Key),
        ("rate_limit", Class::RateLimit),
        ("overload", Class::Overload),
    ];
}

const TABLE: &str = include_str!("wordings.tsv");

/// The columns of the rows: class, phrase, provider, example.
fn rows() -> impl Iterator<Item = [&'static str; 4]> {
    TABLE.lines().filter(|line| !line.starts_with('#')).filter_map(|line| {
        let mut cells = line.split('\t');
        Some([cells.next()?, cells.next()?, cells.next()?, cells.next()?])
    })
}

/// The first class with a phrase that `matches`.
pub fn class_if(matches: impl Fn(&str) -> bool) -> Option<Class> {
    let has = |name: &str| rows().any(|[class, phrase, ..]| class == name && matches(phrase));
    Class::ALL.into_iter().find(|(name, _)| has(name)).map(|(_, class)| class)
}

/// The class of an error's text, which is in lower case.
pub fn class(text: &str) -> Option<Class> {
    class_if(|phrase| text.contains(phrase))
}

/// Whether a text of unknown wording is about money or a limit of use. Such an error passes with time,
/// and not with another request.
pub fn is_about_allowance(text: &str) -> bool {
    const WORDS: [&str; 11] = [
        "quota",
        "limit",
        "billing",
        "credit",
        "balance",
        "payment",
        "spend",
        "subscription",
        "plan ",
        "budget",
        "throttl",
    ];
    WORDS.iter().any(|word| text.contains(word))
}

/// The maximum number of tokens that the text of a [`Class::TooLong`] error names.
pub fn context_tokens(text: &str) -> Option<u64> {
    const BEFORE: [&str; 12] = [
        "maximum context length is ",
        "context length of only ",
        "reached context length of ",
        "context size (",
        "maximum prompt length is ",
        "tokens allowed (",
        "too large for model with ",
        "limit ",
        "max input tokens: ",
        "context window of ",
        "context length of ",
        " > ",
    ];
    let number = |rest: &str| {
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        rest[..end].parse().ok().filter(|n| *n >= 256)
    };
    BEFORE.iter().find_map(|before| number(text.split_once(before)?.1))
}

/// The whole numbers of a text that are no part of a name such as `gpt-4o-2024-08-06`.
pub fn numbers(text: &str) -> Vec<u64> {
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '-' | '.' | '_');
    let words = text.split(|c: char| !is_part(c)).map(|word| word.trim_matches(['.', '-']));
    words.filter_map(|word| word.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_row_has_an_example_of_its_class() {
        let mut n = 0;
        for [name, phrase, provider, example] in rows() {
            let example = example.to_lowercase();
            assert!(!provider.is_empty() && phrase == phrase.to_lowercase(), "{phrase}");
            assert!(example.contains(phrase), "{phrase}: {example}");
            let expected = Class::ALL.iter().find(|(known, _)| *known == name);
            assert_eq!(class(&example), expected.map(|(_, class)| *class), "{example}");
            n += 1;
        }
        assert_eq!(n, TABLE.lines().filter(|line| !line.starts_with('#')).count());
        assert!(n > 50, "{n}");
    }

    #[test]
    fn the_number_of_an_error_is_the_limit() {
        let limits: Vec<u64> = rows()
            .filter(|[class, ..]| *class == "too_long")
            .filter_map(|[.., example]| context_tokens(&example.to_lowercase()))
            .collect();
        let expected = [200_000, 8192, 131_072, 4096, 1_048_576, 4096, 4096, 32_768, 6000, 8192];
        assert_eq!(limits, expected);
        let text = "max_tokens: 8192 > 4096, the maximum of claude-3-haiku-20240307 and gpt-4.1";
        assert_eq!(numbers(text), [8192, 4096]);
    }
}
