//! The request of a prompt, short enough for a title.

use super::kind;
use super::prose;
use super::words;

/// A prompt in at most `max` characters: its first sentences, without thanks, praise and pasted text.
/// If the first ones are only background, the sentence that asks is included.
pub fn request(prompt: &str, max: usize) -> String {
    let all = sentences(prompt);
    let Some(first) = all.first() else { return String::new() };
    let length = |s: &String| s.chars().count() + 1;
    if length(first) > max {
        return prose::fit(first, max);
    }
    let fits = |room: usize| {
        let mut room = room;
        all.iter()
            .take_while(|s| {
                let fits = length(s) <= room + 1;
                room = room.saturating_sub(length(s));
                fits
            })
            .count()
    };
    let taken = fits(max);
    let asking = all.iter().position(|s| asks(s)).filter(|at| *at >= taken);
    match asking.map(|at| (at, max.saturating_sub(length(&all[at])))) {
        Some((at, room)) if fits(room) > 0 => {
            let before = all[..fits(room).min(at)].join(" ");
            format!("{before} {}", all[at])
        }
        _ => all[..taken].join(" "),
    }
}

/// Whether the prompt is only a greeting, thanks or praise.
pub fn is_talk(prompt: &str) -> bool {
    const MOST: usize = 6;
    let low = prompt.to_lowercase();
    let words: Vec<&str> = low
        .split(|c: char| !c.is_alphanumeric() && c != '\'')
        .filter(|word| !word.is_empty())
        .collect();
    words.len() <= MOST
        && words.iter().any(|word| words::TALK.are(word))
        && words.iter().all(|word| words::TALK.are(word) || words::TALK_TOO.are(word))
}

fn asks(sentence: &str) -> bool {
    let low = sentence.to_lowercase();
    let first = low.split(|c: char| !c.is_alphabetic()).next().unwrap_or("");
    sentence.ends_with(['?', '？'])
        || words::ASKS.inside(&low)
        || words::IMPERATIVE.are(first)
        || kind::by_words(first).is_some()
}

/// The first sentences of a prompt, as many as a title may need.
pub fn sentences(prompt: &str) -> Vec<String> {
    const MOST: usize = 60;
    let mut in_code = false;
    let mut out: Vec<String> = Vec::new();
    for line in clean(prompt).lines() {
        let line = line.trim();
        if line.starts_with("```") {
            in_code = !in_code;
            continue;
        }
        if in_code || line.is_empty() {
            continue;
        }
        let text = prose::inline(line.trim_start_matches(['#', '>', ' ']).trim_start_matches("- "));
        out.extend(prose::split(&text));
        if out.len() >= MOST {
            break;
        }
    }
    let praise = |s: &String| {
        let bare = s.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
        words::PLEASANT.are(&bare) && !words::GO_ON.are(&bare)
    };
    let talk = out.iter().take_while(|s| praise(s)).count();
    if talk < out.len() {
        out.drain(..talk);
    }
    out
}

/// A slash command as it was typed, a notification's summary, and other prompts without reminders of
/// the client.
fn clean(prompt: &str) -> String {
    let inside = |tag: &str| {
        let (_, rest) = prompt.split_once(&format!("<{tag}>"))?;
        rest.split_once(&format!("</{tag}>")).map(|(inner, _)| inner.trim().to_owned())
    };
    if let Some(command) = inside("command-name") {
        let args = inside("command-args").unwrap_or_default();
        return format!("{command} {args}").trim().to_owned();
    }
    if prompt.trim_start().starts_with("<task-notification>") {
        return inside("summary").unwrap_or_default();
    }
    let mut out = String::new();
    let mut rest = prompt;
    while let Some((before, after)) = rest.split_once("<system-reminder>") {
        out.push_str(before);
        rest = after.split_once("</system-reminder>").map_or("", |(_, rest)| rest);
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prompts_become_requests() {
        for (prompt, expected) in [
            ("Add a flag.\n\n```\nlog\n```\nThanks!", "Add a flag. Thanks!"),
            (
                "<command-name>/review</command-name>\n<command-args>PR 3</command-args>",
                "/review PR 3",
            ),
            ("<system-reminder>x</system-reminder>fix it", "fix it"),
            ("/saything kind words", "/saything kind words"),
        ] {
            assert_eq!(request(prompt, 200), expected, "{prompt}");
        }
    }

    #[test]
    fn talk_is_distinguished_from_work() {
        for talk in
            ["hi", "Thanks!!", "ok great, thank you so much", "Danke dir", "谢谢", "perfect!"]
        {
            assert!(is_talk(talk), "{talk}");
        }
        for work in
            ["continue", "ok", "great, commit it", "hi, fix the login", "", "thanks to X it broke"]
        {
            assert!(!is_talk(work), "{work}");
        }
    }

    #[test]
    fn the_question_is_kept() {
        let long = "The export was written in 2019 and nobody has looked at it since then. It reads \
                    the whole table into memory first. Last night it ran out of memory. Could you \
                    make it stream the rows?";
        assert_eq!(
            request(long, 120),
            "The export was written in 2019 and nobody has looked at it since then. Could you make \
             it stream the rows?"
        );
        assert_eq!(request("Great. Now commit everything.", 150), "Now commit everything.");
        assert_eq!(request("ok", 150), "ok");
    }
}
