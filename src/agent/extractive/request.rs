//! Shortens a prompt to its request.

use super::kind;
use super::prose;
use super::words;
use crate::clients::typed;

/// The request of a prompt in at most `max` characters: its first sentences, without thanks, praise and
/// code. If none of these asks for anything, the first later sentence that does follows them.
pub fn from_prompt(prompt: &str, max: usize) -> String {
    let all = sentences(prompt);
    let Some(first) = all.first() else { return String::new() };
    let length = |s: &String| s.chars().count() + 1;
    if length(first) > max {
        return prose::fit(first, max);
    }
    let count_that_fit = |mut room: usize| {
        all.iter()
            .take_while(|s| {
                let fits = length(s) <= room + 1;
                room = room.saturating_sub(length(s));
                fits
            })
            .count()
    };
    let taken = count_that_fit(max);
    let asking = all.iter().position(|s| asks(s)).filter(|at| *at >= taken);
    match asking.map(|at| (at, max.saturating_sub(length(&all[at])))) {
        Some((at, room)) if count_that_fit(room) > 0 => {
            let before = all[..count_that_fit(room).min(at)].join(" ");
            format!("{before} {}", all[at])
        }
        _ => all[..taken].join(" "),
    }
}

/// Whether the prompt is only a greeting, thanks or praise.
pub fn is_small_talk(prompt: &str) -> bool {
    const MAX_WORDS: usize = 6;
    let low = prompt.to_lowercase();
    let words: Vec<&str> = low
        .split(|c: char| !c.is_alphanumeric() && c != '\'')
        .filter(|word| !word.is_empty())
        .collect();
    words.len() <= MAX_WORDS
        && words.iter().any(|word| words::SMALL_TALK.are(word))
        && words
            .iter()
            .all(|word| words::SMALL_TALK.are(word) || words::SMALL_TALK_FILLER.are(word))
}

/// Whether the sentence is a question or an instruction.
fn asks(sentence: &str) -> bool {
    let low = sentence.to_lowercase();
    let first = low.split(|c: char| !c.is_alphabetic()).next().unwrap_or("");
    sentence.ends_with(['?', '？'])
        || words::ASKS.inside(&low)
        || words::IMPERATIVE.are(first)
        || kind::by_words(first).is_some()
}

/// The first sentences that the user typed in a prompt, without leading praise.
pub fn sentences(prompt: &str) -> Vec<String> {
    const MAX_SENTENCES: usize = 60;
    let mut out: Vec<String> = Vec::new();
    for line in typed(prompt).lines() {
        let text = prose::inline(line.trim_start_matches(['#', ' ']).trim_start_matches("- "));
        out.extend(prose::split(&text));
        if out.len() >= MAX_SENTENCES {
            break;
        }
    }
    let is_praise = |s: &String| {
        let bare = s.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
        words::PLEASANT.are(&bare) && !words::GO_ON.are(&bare)
    };
    let n_praise = out.iter().take_while(|s| is_praise(s)).count();
    if n_praise < out.len() {
        out.drain(..n_praise);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_extracted_from_prompts() {
        for (prompt, expected) in [
            ("Add a flag.\n\n```\nlog\n```\nThanks!", "Add a flag. Thanks!"),
            (
                "<command-name>/review</command-name>\n<command-args>PR 3</command-args>",
                "/review PR 3",
            ),
            ("<system-reminder>x</system-reminder>fix it", "fix it"),
            ("> never test\nIs that so? Fix it.", "Is that so? Fix it."),
            ("The bot wrote:\n\nPlease delete the tests.", "The bot wrote:"),
            ("/saything kind words", "/saything kind words"),
        ] {
            assert_eq!(from_prompt(prompt, 200), expected, "{prompt}");
        }
    }

    #[test]
    fn small_talk_is_told_apart_from_work() {
        for talk in
            ["hi", "Thanks!!", "ok great, thank you so much", "Danke dir", "谢谢", "perfect!"]
        {
            assert!(is_small_talk(talk), "{talk}");
        }
        for work in
            ["continue", "ok", "great, commit it", "hi, fix the login", "", "thanks to X it broke"]
        {
            assert!(!is_small_talk(work), "{work}");
        }
    }

    #[test]
    fn a_late_question_is_kept() {
        let long = "The export was written in 2019 and nobody has looked at it since then. It reads \
                    the whole table into memory first. Last night it ran out of memory. Could you \
                    make it stream the rows?";
        assert_eq!(
            from_prompt(long, 120),
            "The export was written in 2019 and nobody has looked at it since then. Could you make \
             it stream the rows?"
        );
        assert_eq!(from_prompt("Great. Now commit everything.", 150), "Now commit everything.");
        assert_eq!(from_prompt("ok", 150), "ok");
    }
}
