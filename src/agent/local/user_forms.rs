//! The forms of a sentence, and what they say about it. `user_forms.tsv` gives each form its points: those of
//! statements that hold beyond the turn are positive, those of requests, remarks and reports negative. No
//! form decides alone.

use std::sync::LazyLock;

use super::markers::{Marker, Text, marker};

/// What stands around a sentence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Around {
    /// It begins the first prompt of a session, which says what the session is about.
    pub opens: bool,
    /// It is the first sentence after a question of the assistant.
    pub answers: bool,
    /// The agent has nothing to do in the turn.
    pub is_idle: bool,
}

/// A line of the table: a form and its points.
#[derive(Clone, Copy, Debug)]
struct Line {
    form: Form,
    points: i32,
}

#[derive(Clone, Copy, Debug)]
enum Form {
    Has(Marker),
    Begins(Marker),
    Ends(Marker),
    Is(Marker),
    Shape(Shape),
}

macro_rules! shapes {
    ($($(#[$doc:meta])* $name:ident = $word:literal,)*) => {
        /// A form that takes more than a phrase.
        #[derive(Clone, Copy, Debug)]
        enum Shape { $($(#[$doc])* $name),* }

        impl Shape {
            fn named(name: &str) -> Option<Shape> {
                match name {
                    $($word => Some(Shape::$name),)*
                    _ => None,
                }
            }
        }
    };
}

shapes! {
    /// The points that every sentence has.
    Any = "any",
    Opens = "opens",
    Answers = "answers",
    /// An answer that names something, and not only `yes`.
    Names = "names",
    Idle = "idle",
    /// One or two words that are no answer.
    Short = "short",
    /// It begins like a question, without its mark.
    Asks = "asks",
    Code = "code",
    /// It begins with `I`.
    I = "i",
    /// It begins with a plural: `Headings are …`.
    Plural = "plural",
    /// The plural has an article: `los precios …`.
    PluralArticle = "plural-article",
    /// Something is so in the present, and nothing is wrong with it.
    Statement = "statement",
    /// The same without a pronoun.
    StatementOfAThing = "statement-of-a-thing",
    OurStatement = "our-statement",
    /// `no new deps`
    NoThing = "no-thing",
    /// It names a tool or a part of the work, and asks for nothing.
    Domain = "domain",
    DomainLimit = "domain-limit",
    /// Always or never, as an order.
    Orders = "orders",
    /// It says what others say.
    Reported = "reported",
}

static TABLE: LazyLock<Vec<Line>> = LazyLock::new(|| {
    let lines = include_str!("user_forms.tsv").lines().skip(1);
    lines.filter_map(line).collect()
});

fn line(line: &str) -> Option<Line> {
    let mut cells = line.split('\t');
    let (how, what, points) = (cells.next()?, cells.next()?, cells.next()?);
    let form = match how {
        "has" => Form::Has(marker(what)?),
        "begins" => Form::Begins(marker(what)?),
        "ends" => Form::Ends(marker(what)?),
        "is" => Form::Is(marker(what)?),
        "shape" => Form::Shape(Shape::named(what)?),
        _ => return None,
    };
    Some(Line { form, points: points.parse().ok()? })
}

/// The points of a sentence. `None` if it asks for something in the form of a question.
pub fn points(sentence: &str, around: Around) -> Option<i32> {
    let read = Read::new(sentence, around);
    let asks = read.text.begins(Marker::CanYou);
    let sum = || TABLE.iter().filter(|line| read.has(line.form)).map(|line| line.points).sum();
    (!asks).then(sum)
}

/// A sentence with what several forms need.
struct Read {
    text: Text,
    around: Around,
    first: String,
    n_words: usize,
    has_code: bool,
    is_statement: bool,
    is_troubled: bool,
}

impl Read {
    fn new(sentence: &str, around: Around) -> Read {
        let text = Text::new(without_leads(sentence));
        let has = |marker| text.has(marker);
        let begins = |marker| text.begins(marker) && !begins_with_noun(&text);
        let is_troubled = [
            Marker::Looks,
            Marker::Wrong,
            Marker::Still,
            Marker::Past,
            Marker::Temporary,
            Marker::Did,
            Marker::Defer,
            Marker::Spot,
        ]
        .into_iter()
        .any(has);
        let first = text.words().next().unwrap_or_default().to_owned();
        let is_troubled = is_troubled || is_i(&first);
        let asks = begins(Marker::Verb) || begins(Marker::Task) || begins(Marker::CanYou);
        let is_statement =
            has(Marker::Present) && !text.begins(Marker::Present) && !asks && !is_troubled;
        Read {
            n_words: text.words().count(),
            has_code: sentence.contains(['`', '_', '/']),
            first,
            text,
            around,
            is_statement,
            is_troubled,
        }
    }

    fn has(&self, form: Form) -> bool {
        match form {
            Form::Has(marker) => self.text.has(marker),
            Form::Begins(Marker::Verb | Marker::Task) if begins_with_noun(&self.text) => false,
            Form::Begins(marker) => self.text.begins(marker),
            Form::Ends(marker) => self.text.ends(marker),
            Form::Is(marker) => self.text.is(marker),
            Form::Shape(shape) => self.has_shape(shape),
        }
    }

    fn has_shape(&self, shape: Shape) -> bool {
        const DOMAIN: [Marker; 4] = [Marker::Tool, Marker::Subject, Marker::Platform, Marker::Look];
        let text = &self.text;
        let has = |marker| text.has(marker);
        let begins = |marker| text.begins(marker);
        let asks = || {
            (begins(Marker::Verb) || begins(Marker::Task)) && !begins_with_noun(text)
                || begins(Marker::CanYou)
        };
        let is_of_domain = || DOMAIN.into_iter().any(has);
        match shape {
            Shape::Any => true,
            Shape::Opens => self.around.opens && !self.is_universal(),
            Shape::Answers => self.around.answers,
            Shape::Names => self.around.answers && self.names(),
            Shape::Idle => self.around.is_idle && !self.around.opens,
            Shape::Short => text.length() <= 2 && !(self.around.answers && self.names()),
            Shape::Asks => matches!(
                self.first.as_str(),
                "where"
                    | "what"
                    | "which"
                    | "who"
                    | "how"
                    | "why"
                    | "wo"
                    | "was"
                    | "wie"
                    | "warum"
                    | "où"
                    | "pourquoi"
                    | "dónde"
                    | "onde"
                    | "dove"
                    | "где"
                    | "почему"
                    | "как"
            ),
            Shape::Code => self.has_code,
            Shape::I => is_i(&self.first),
            Shape::Plural => is_plural(&self.first),
            Shape::PluralArticle => {
                const ARTICLES: [&str; 10] =
                    ["los", "las", "les", "os", "as", "alle", "tutti", "tutte", "gli", "todos"];
                self.n_words > 2 && ARTICLES.contains(&self.first.as_str())
            }
            Shape::Statement => self.is_statement,
            Shape::StatementOfAThing => self.is_statement && !has(Marker::Pronoun),
            Shape::OurStatement => self.is_statement && has(Marker::We),
            Shape::NoThing => {
                (begins(Marker::Negation) || begins(Marker::Ban)) && !self.is_troubled && !asks()
            }
            Shape::Domain => is_of_domain() && !self.is_troubled && !asks() && !has(Marker::Asks),
            Shape::DomainLimit => is_of_domain() && has(Marker::Limit) && !begins(Marker::Verb),
            Shape::Orders => super::rules::orders(text),
            Shape::Reported => super::rules::is_reported(text),
        }
    }

    /// What the session is about is no such statement.
    fn is_universal(&self) -> bool {
        const MARKERS: [Marker; 11] = [
            Marker::Every,
            Marker::Always,
            Marker::Never,
            Marker::Lasting,
            Marker::Future,
            Marker::Limit,
            Marker::Forbid,
            Marker::Consent,
            Marker::Decides,
            Marker::Sequence,
            Marker::Instead,
        ];
        MARKERS.iter().any(|marker| self.text.has(*marker))
    }

    /// `2 and a lock`, `SQLite then`, but not `yes` nor `the one below`.
    fn names(&self) -> bool {
        let text = &self.text;
        let begins = [
            Marker::Yes,
            Marker::No,
            Marker::Greeting,
            Marker::Asks,
            Marker::CanYou,
            Marker::Defer,
            Marker::Pronoun,
        ];
        let is = [Marker::Yes, Marker::GoOn];
        // `the first two`, `the other file`
        let only_points = text.length() <= 4 && text.has(Marker::Pronoun);
        !self.is_troubled
            && !only_points
            && !begins.iter().any(|marker| text.begins(*marker))
            && !is.iter().any(|marker| text.is(*marker))
    }
}

/// `commit messages …`, `change of plan`: the verb is part of a noun.
fn begins_with_noun(text: &Text) -> bool {
    let mut nouns = text.all(Marker::Subject).chain(text.all(Marker::Decides));
    nouns.any(|found| found.start == 0 && found.end > 1)
}

fn is_i(word: &str) -> bool {
    matches!(word, "i" | "im" | "ive" | "ich" | "je" | "j" | "yo" | "eu" | "io" | "я" | "ben")
}

fn is_plural(word: &str) -> bool {
    const OTHERS: [&str; 14] = [
        "this", "does", "yes", "lets", "thanks", "looks", "seems", "always", "unless", "perhaps",
        "works", "plus", "dans", "bis",
    ];
    word.len() > 3 && word.ends_with('s') && !word.ends_with("ss") && !OTHERS.contains(&word)
}

/// The sentence without the words that join it to the talk: `ok so`, `no,`, `btw`.
pub fn without_leads(sentence: &str) -> &str {
    /// They say something themselves if no mark follows.
    const WITH_MARK: [&str; 8] = ["no", "non", "não", "nein", "right", "sí", "now", "nope"];
    const LEADS: [&str; 44] = [
        "ok",
        "okay",
        "and",
        "but",
        "then",
        "well",
        "ah",
        "oh",
        "hm",
        "hmm",
        "yes",
        "yeah",
        "yep",
        "please",
        "pls",
        "btw",
        "fyi",
        "just",
        "und",
        "aber",
        "dann",
        "ach",
        "ja",
        "bitte",
        "übrigens",
        "et",
        "mais",
        "oui",
        "bon",
        "y",
        "pero",
        "bueno",
        "vale",
        "e",
        "ma",
        "sì",
        "mas",
        "sim",
        "и",
        "а",
        "но",
        "да",
        "ve",
        "ama",
    ];
    let mut rest = sentence.trim();
    loop {
        let end = rest.find(|c: char| !c.is_alphanumeric()).unwrap_or(rest.len());
        let word = rest[..end].to_lowercase();
        let after = &rest[end..];
        let is_marked = after.starts_with([',', '.', '!', ':']);
        let is_lead = LEADS.contains(&word.as_str()) && (is_marked || after.starts_with(' '))
            || WITH_MARK.contains(&word.as_str()) && is_marked;
        let next = after.trim_start_matches([',', '.', '!', ':', ' ']);
        if !is_lead || !next.contains(char::is_alphanumeric) {
            return rest;
        }
        rest = next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_of_the_table_is_read() {
        let lines = include_str!("user_forms.tsv").lines().skip(1);
        let unread: Vec<&str> = lines.filter(|text| line(text).is_none()).collect();
        assert!(unread.is_empty(), "{unread:#?}");
    }

    #[test]
    fn words_of_the_talk_are_left_out() {
        let check = |text, rest| assert_eq!(without_leads(text), rest, "{text}");
        check("ok, and please no new deps", "no new deps");
        check("no, use tabs", "use tabs");
        check("no tabs", "no tabs");
        check("ja bitte, nur Tabs", "nur Tabs");
        check("ok", "ok");
        check("и коммиты на английском", "коммиты на английском");
    }

    #[test]
    fn forms_add_up() {
        let of = |text| points(text, Around::default()).expect("points");
        for (more, less) in [
            ("our users hate modal dialogs", "i hate modal dialogs"),
            ("every migration needs a rollback", "add a rollback"),
            ("staging is shared with QA", "staging is broken again"),
        ] {
            assert!(of(more) > of(less), "{more}: {}, {less}: {}", of(more), of(less));
        }
        let opens = Around { opens: true, ..Around::default() };
        assert!(points("the app is slow", opens) < Some(of("the app is slow")));
        assert_eq!(points("could you read the exports", opens), None);
    }
}
