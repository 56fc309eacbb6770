//! Lead-ins: lines that say whose text follows.

use super::pastes::{begins_paste, fence, is_item};
use crate::text::Words;

/// Words of a lead-in that names an author or a source: `the README says:`.
pub const SOURCES: Words = Words(
    "answer|answered|article|bot|chat|comment|commented|comments|console|crash|crashed|\
     crashes|fails|failed|doc|docs|documentation|email|emails|error|errors|feedback|\
     forum|got|guide|issue|issues|log|logs|mail|mails|message|messages|note|output|page|\
     paste|pasted|post|posted|prints|readme|replied|report|reported|reports|response|\
     review|reviewer|said|say|says|session|slack|spec|stacktrace|suggested|suggests|\
     teammate|text|thread|ticket|told|trace|traceback|transcript|tweet|warning|wrote|\
     writes|reads|sent|sagt|sagte|schrieb|schreibt|fehler|ausgabe|meldung|nachricht|dit|\
     écrit|erreur|sortie|dice|dijo|escribió|salida|mensaje|correo|пишет|сказал|ошибка|steht|heißt|lautet|meint|laut|wiki|selon|según|indique|pone|написано",
);

/// Words of a lead-in whose text may follow on the same line: `Bob wrote: never test`.
const SPEECH: Words = Words(
    "agent|answered|bot|comment|commented|email|mail|message|posted|replied|reviewer|\
     said|says|sent|session|slack|teammate|told|wrote|writes|sagt|sagte|schrieb|schreibt|\
     dit|écrit|dice|dijo|escribió|пишет|сказал",
);

/// Words of a lead-in whose text follows, unless that is a list: then the list is the user's.
const POINTERS: Words = Words("below|following|here|heres|this|folgende|hier|voici|siguiente|aquí");

/// Words of a lead-in to the output of a program. Such a paste can be told from prose, so the user may go
/// on after it.
const OUTPUTS: Words = Words(
    "console|crash|crashed|crashes|error|errors|fails|failed|got|log|logs|output|prints|stacktrace|trace|\
     traceback|warning|ausgabe|fehler|erreur|sortie|salida|ошибка|лог|вывод",
);

/// Nouns of what a user lists: `Two issues:`.
const LISTED: Words = Words("bug|bugs|error|errors|issue|issues|note|notes|text");

/// Words that say how many: the user counts.
const COUNTS: Words = Words(
    "two|three|four|five|six|seven|some|several|few|more|other|remaining|2|3|4|5|6|7|8|9|10|zwei|drei|vier|\
     einige|mehrere|deux|trois|quelques|plusieurs|dos|tres|varios|algunos",
);

/// The part of a line before text of others that it introduces (`Bob wrote:`), and whether it does.
pub fn without_speech(line: &str) -> (&str, bool) {
    let colon = line.char_indices().find(|(at, c)| {
        matches!(c, ':' | '：') && line[at + c.len_utf8()..].starts_with([' ', '"', '“'])
    });
    let Some((at, c)) = colon.filter(|(at, _)| *at <= 80) else { return (line, false) };
    match names(&line[..at], SPEECH) {
        true => (&line[..at + c.len_utf8()], true),
        false => (line, false),
    }
}

/// Whether one of the words of `text` is in the list.
pub fn names(text: &str, list: Words) -> bool {
    let low = text.to_lowercase();
    // "as I said"
    let own = ["i said", "i wrote", "i told", "ich sagte", "wie gesagt"];
    !own.iter().any(|own| low.contains(own))
        && low.split(|c: char| !c.is_alphanumeric()).any(|word| list.are(word))
}

/// Whose text follows a line.
pub enum Follows {
    User,
    /// A fence, a quotation or the output of a program. It ends by itself; the user may go on after
    /// it.
    Paste,
    Others,
}

pub fn what_follows(line: &str, rest: &[&str]) -> Follows {
    let mut rest = rest.iter().map(|line| line.trim()).skip_while(|line| line.is_empty());
    let Some(next) = rest.next() else { return Follows::User };
    if !line.ends_with([':', '：']) {
        return Follows::User;
    }
    // A sentence before the lead-in does not matter.
    let last = line.rsplit(['.', '!', '?']).find(|part| part.len() > 1).unwrap_or(line);
    if names(last, SOURCES) {
        let sources = count(last, SOURCES);
        let is_own_list = is_item(next) && names(last, COUNTS) && count(last, LISTED) == sources;
        if is_own_list {
            return Follows::User;
        }
        let is_output =
            count(last, OUTPUTS) == sources && begins_paste(next, rest.next().unwrap_or(""));
        return if is_output { Follows::Paste } else { after_source(next) };
    }
    if names(last, POINTERS) && !is_item(next) {
        return after_source(next);
    }
    Follows::User
}

/// What follows the lead-in of a source whose text begins with this line.
pub fn after_source(next: &str) -> Follows {
    match fence(next).is_some() || next.starts_with('>') {
        true => Follows::Paste,
        false => Follows::Others,
    }
}

fn count(text: &str, list: Words) -> usize {
    let low = text.to_lowercase();
    low.split(|c: char| !c.is_alphanumeric()).filter(|word| list.are(word)).count()
}
