//! What a short reply answers.

use super::markers::{Marker, Text};
use super::message::inline::has_question;
use crate::memory::Question;

/// Longer replies are requests of their own.
const MAX_WORDS: usize = 8;

const ORDINALS: [Marker; 4] = [Marker::First, Marker::Second, Marker::Third, Marker::Fourth];

/// What the reply answers: the options it chooses, else the question. Empty if it is no answer.
pub fn answers(reply: &str, asked: &Question) -> String {
    let chosen = chosen(reply, asked);
    if !chosen.is_empty() {
        return chosen.join("; ");
    }
    let text = Text::new(reply);
    let is_reply = [Marker::Yes, Marker::No, Marker::GoOn].iter().any(|marker| text.is(*marker))
        || first_word_is(&text, Marker::Yes)
        || text.has(Marker::Deny)
        || text.length() <= 3 && !text.begins(Marker::Verb);
    if is_reply { asked.text.clone() } else { String::new() }
}

fn first_word_is(text: &Text, marker: Marker) -> bool {
    text.length() <= MAX_WORDS && text.begins(marker)
}

/// The options that a reply chooses: `2`, `b)`, `the second`, `both`, `PostgreSQL please`.
pub fn chosen<'a>(reply: &str, asked: &'a Question) -> Vec<&'a str> {
    let options: Vec<&str> = asked.options.iter().map(String::as_str).collect();
    let text = Text::new(reply);
    if options.is_empty() || has_question(reply) {
        return Vec::new();
    }
    let by_place = by_place(reply, &text, &options);
    if !by_place.is_empty() {
        return by_place;
    }
    named(&text, &options).into_iter().collect()
}

/// The options at the places that the reply names.
fn by_place<'a>(reply: &str, text: &Text, options: &[&'a str]) -> Vec<&'a str> {
    /// Words of a reply that is nothing but a choice.
    const MAX_CHOICE: usize = 5;
    let is_short = text.length() <= MAX_CHOICE;
    if is_short && (text.is(Marker::AllOfThem) || has_only(text, Marker::AllOfThem)) {
        return options.to_vec();
    }
    // `두 번째로`: an ordinal of two words.
    let inside = ORDINALS.iter().position(|ordinal| text.has(*ordinal));
    if let Some(place) =
        inside.filter(|place| *place < options.len() && is_short && text.matches_inside())
    {
        return vec![options[place]];
    }
    let mut places: Vec<usize> = Vec::new();
    // A comma or the end follows the place: `2, but with a lock`.
    let mut is_set_off = false;
    let mut pieces = pieces(reply).into_iter().peekable();
    while let Some(token) = pieces.next() {
        match place(text, token, options.len(), is_short) {
            Some(place) => {
                is_set_off |=
                    pieces.peek().is_none_or(|next| !next.contains(char::is_alphanumeric));
                if !places.contains(&place) {
                    places.push(place);
                }
            }
            None if !token.contains(char::is_alphanumeric) || is_filler(text, token) => {}
            // Another word: `wait 2 minutes` names a number, but chooses nothing.
            None if is_set_off => break,
            None => return Vec::new(),
        }
    }
    if !is_short && !is_set_off {
        places.clear();
    }
    places.into_iter().map(|place| options[place]).collect()
}

/// The words of a reply, as they stand between spaces, and the marks behind them.
fn pieces(reply: &str) -> Vec<&str> {
    let is_mark = |c: char| !c.is_alphanumeric();
    let words = reply.split_whitespace().map(|word| word.trim_start_matches(is_mark));
    let split = words.flat_map(|word| {
        let bare = word.trim_end_matches(is_mark);
        [bare, &word[bare.len()..]]
    });
    split.filter(|piece| !piece.is_empty()).collect()
}

/// The place that a word names, from 0.
fn place(text: &Text, token: &str, n: usize, is_short: bool) -> Option<usize> {
    let token = &token.to_lowercase();
    if let Ok(number) = token.parse::<usize>() {
        return (1..=n).contains(&number).then(|| number - 1);
    }
    let mut chars = token.chars();
    if let (Some(letter @ 'a'..='h'), None) = (chars.next(), chars.next()) {
        let place = usize::from(letter as u8 - b'a');
        // `a` and `e` are words of several languages.
        let is_last = text.words().next_back() == Some(token);
        return (place < n && is_short && (is_last || !matches!(letter, 'a' | 'e')))
            .then_some(place);
    }
    let one = Text::new(token);
    let is = |marker| if token.is_ascii() { one.is(marker) } else { one.has(marker) };
    if let Some(place) = ORDINALS.iter().position(|ordinal| is(*ordinal)) {
        return (place < n).then_some(place);
    }
    if is(Marker::Last) {
        return n.checked_sub(1);
    }
    // `2번`, `2番でお願いします`, `选2`.
    let digits: String = token.chars().filter(char::is_ascii_digit).collect();
    let number = digits.parse::<usize>().ok().filter(|_| !token.is_ascii() && is_short)?;
    (1..=n).contains(&number).then(|| number - 1)
}

fn is_filler(text: &Text, word: &str) -> bool {
    const FILLERS: [Marker; 7] = [
        Marker::Option,
        Marker::Yes,
        Marker::GoOn,
        Marker::Filler,
        Marker::Greeting,
        Marker::Pronoun,
        Marker::Use,
    ];
    const ARTICLES: [&str; 24] = [
        "the", "please", "with", "take", "go", "do", "die", "der", "das", "den", "nimm", "le",
        "la", "el", "il", "lo", "o", "bitte", "e", "y", "et", "und", "по", "и",
    ];
    ARTICLES.contains(&word) || FILLERS.iter().any(|marker| text.is_word(word, *marker))
}

/// Whether the reply has one of the marker's words, and otherwise only fillers.
fn has_only(text: &Text, marker: Marker) -> bool {
    let mut found = false;
    for word in text.words() {
        if text.is_word(word, marker) {
            found = true;
        } else if !is_filler(text, word) {
            return false;
        }
    }
    found
}

/// The only option that has all words of the reply.
fn named<'a>(text: &Text, options: &[&'a str]) -> Option<&'a str> {
    let words: Vec<&str> =
        text.words().filter(|word| word.chars().count() > 1 && !is_filler(text, word)).collect();
    if words.is_empty() || text.length() > MAX_WORDS || text.has(Marker::Deny) {
        return None;
    }
    let has_words = |option: &&&str| {
        let option = Text::new(option);
        words.iter().all(|word| option.words().any(|own| own == *word))
    };
    let mut found = options.iter().filter(has_words);
    found.next().filter(|_| found.next().is_none()).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(options: &[&str]) -> Question {
        Question {
            text: "Which one?".to_owned(),
            options: options.iter().map(|option| (*option).to_owned()).collect(),
            ..Question::default()
        }
    }

    #[test]
    fn replies_choose_options() {
        let asked =
            question(&["PostgreSQL with triggers", "SQLite and a cron job", "Redis streams"]);
        let mut wrong: Vec<String> = Vec::new();
        let mut check = |reply: &str, expected: &[usize]| {
            let expected: Vec<&str> =
                expected.iter().map(|at| asked.options[*at].as_str()).collect();
            let got = chosen(reply, &asked);
            if got != expected {
                wrong.push(format!("{reply}: {got:?}"));
            }
        };
        for reply in [
            "2",
            "2.",
            "#2",
            "b",
            "B)",
            "option 2",
            "Option B please",
            "the second",
            "the second one, please",
            "second",
            "die zweite",
            "nimm die zweite",
            "Variante 2",
            "le deuxième",
            "la deuxième option",
            "la segunda",
            "opción 2",
            "a segunda",
            "opção 2",
            "la seconda",
            "il secondo",
            "второй",
            "вариант 2",
            "второй вариант",
            "第二个",
            "方案2",
            "选2",
            "2番",
            "二番目で",
            "2番でお願いします",
            "두 번째",
            "2번",
            "2번으로 해줘",
            "الثاني",
            "الخيار الثاني",
            "ikinci",
            "ikincisi",
            "seçenek 2",
            "SQLite",
            "SQLite please",
            "2, but with a lock",
            "go with 2",
        ] {
            check(reply, &[1]);
        }
        check("the last one", &[2]);
        check("1 and 3", &[0, 2]);
        check("both", &[0, 1, 2]);
        check("all of them", &[0, 1, 2]);
        for reply in [
            "yes",
            "4",
            "wait 2 minutes",
            "the first thing to do is to fix the login page",
            "why 2?",
            "a new one",
            "neither",
            "fix the login",
        ] {
            check(reply, &[]);
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
    }

    #[test]
    fn replies_answer_the_question() {
        let asked = Question { text: "Shall I add a flag?".to_owned(), ..Question::default() };
        for reply in [
            "yes",
            "Yes, please",
            "ok",
            "no",
            "No, we dropped it on purpose",
            "ja",
            "ja bitte",
            "nein",
            "oui",
            "non merci",
            "sí",
            "sim",
            "sì grazie",
            "да",
            "нет",
            "好的",
            "不用",
            "はい",
            "いいえ",
            "네",
            "아니요",
            "نعم",
            "لا",
            "evet",
            "hayır",
            "go ahead",
            "blue",
            "--verbose",
        ] {
            assert!(answers(reply, &asked) == asked.text, "{reply}");
        }
        for reply in
            ["Now fix the login page of the shop", "Fix the login", "What does the export do?"]
        {
            assert_eq!(answers(reply, &asked), "", "{reply}");
        }
    }
}
