//! Whether a turn did something that was left to do. It rarely uses the same words: it is compared by
//! what was asked, what was said about the work, and what tools prove, together.

use super::similarity::WordSet;
use crate::memory::{Block, Turn};

/// What a turn asked for and did, as words.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Deeds {
    request: WordSet,
    all: WordSet,
    /// Changed files, identifiers of edits and commands that worked.
    tools: WordSet,
}

/// Something left to do, as words.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Aim {
    /// The words that carry meaning.
    pub words: WordSet,
    /// Those of the names between backticks.
    pub names: WordSet,
    /// Those of the names that no other text has by accident: `refund_list`, but not `after`.
    pub telling_names: WordSet,
}

impl Aim {
    /// `words` are those of the text that count.
    pub fn new(text: &str, words: WordSet) -> Aim {
        let mut names: Vec<&str> = text.split('`').skip(1).step_by(2).collect();
        let all = WordSet::stems(&names.join(" "));
        names.retain(|name| !is_plain_word(name));
        Aim { words, names: all, telling_names: WordSet::stems(&names.join(" ")) }
    }

    pub fn of(text: &str) -> Aim {
        Aim::new(text, WordSet::stems(text))
    }
}

impl Deeds {
    /// `None` if the turn did nothing.
    pub fn of(turn: &Turn) -> Option<Deeds> {
        let evidence = &turn.evidence;
        if !evidence.has_change() && turn.done.is_empty() && evidence.tool_uses == 0 {
            return None;
        }
        let mut request = WordSet::stems(&turn.request);
        request.extend(&WordSet::stems(&turn.re));
        let mut all = request.clone();
        let lines = turn.done.iter().flat_map(|block: &Block| &block.lines);
        let subjects = evidence.commits.iter().map(|commit| &commit.subject);
        let effects = evidence.effects.iter().map(|effect| &effect.text);
        let texts: Vec<&str> = lines.chain(subjects).chain(effects).map(String::as_str).collect();
        all.extend(&WordSet::stems(&texts.join(" ")));
        let files = evidence.files.iter().map(|file| &file.path);
        let commands = evidence.commands.iter().filter(|command| command.ok);
        let names = files.chain(&evidence.names).chain(commands.map(|command| &command.line));
        let names: Vec<&str> = names.map(String::as_str).collect();
        Some(Deeds { request, all, tools: WordSet::stems(&names.join(" ")) })
    }

    pub fn words(&self) -> &WordSet {
        &self.all
    }

    /// Whether the turn does what was left: it has 60 % of the words, or all names and 40 % of the words;
    /// or it touches all names; or its request consists of words of the aim.
    pub fn does(&self, aim: &Aim) -> bool {
        let common = aim.words.common(&self.all);
        let has_names = aim.names.len() >= 3 && aim.names.common(&self.all) == aim.names.len();
        let asked = self.request.common(&aim.words);
        let is_asked =
            (3..=8).contains(&self.request.len()) && asked * 10 >= self.request.len() * 8;
        let percent = if has_names { 40 } else { 60 };
        self.touches(aim) || is_asked || has_share(common, &aim.words, percent)
    }

    /// Whether the turn has all names of the aim. Names that are plain words count only where tools have
    /// them, and beside two other words of the aim.
    fn touches(&self, aim: &Aim) -> bool {
        let mut words = self.tools.clone();
        words.extend(&self.all);
        let n = aim.names.len();
        if !aim.telling_names.is_empty() {
            return aim.names.common(&words) == n;
        }
        let wanted = aim.words.len().min(n + 2);
        n > 0 && aim.names.common(&self.tools) == n && aim.words.common(&words) >= wanted
    }
}

/// `after`, `page`, `load()`: a name that is written like any word.
fn is_plain_word(name: &str) -> bool {
    let name = name.trim_matches(|c: char| !c.is_alphanumeric());
    name.chars().all(char::is_lowercase)
}

/// Whether `common` is that share of the words, and at least two of them if there are two.
pub fn has_share(common: usize, words: &WordSet, percent: usize) -> bool {
    let enough = (words.len() * percent).div_ceil(100).max(words.len().min(2));
    !words.is_empty() && common >= enough
}

/// The numbers that a short request consists of, beside a few words: `do 2 and 3 now`.
pub fn numbers(request: &str) -> Vec<usize> {
    let words: Vec<&str> = request.split_whitespace().collect();
    if words.len() > 7 {
        return Vec::new();
    }
    let number = |word: &&str| {
        let word = word.trim_matches(['#', '.', ',', ')', '(', '!', '?']);
        word.parse().ok().filter(|n| (1..=9).contains(n))
    };
    words.iter().filter_map(number).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::FileChange;

    fn deeds(request: &str, done: &str) -> Option<Deeds> {
        let lines = vec![done.to_owned()];
        let done = if done.is_empty() { vec![] } else { vec![Block { lines, ..Block::default() }] };
        Deeds::of(&Turn { request: request.into(), done, ..Turn::default() })
    }

    #[track_caller]
    fn check(aim: &str, request: &str, done: &str, expected: bool) {
        assert_eq!(deeds(request, done).is_some_and(|d| d.does(&Aim::of(aim))), expected, "{aim}");
    }

    #[test]
    fn words_of_the_request_and_of_the_report_count_together() {
        let aim = "Expired tokens stay: a task has to purge those older than 90 days";
        check(
            aim,
            "token table grows, clean it",
            "`PurgeTask` removes all older than 90 days.",
            true,
        );
        check(aim, "token table grows, clean it", "", false);
        check(aim, "rename the table", "The table is called `grants`.", false);
    }

    #[test]
    fn a_short_request_for_a_part_of_a_long_step_does_it() {
        let aim = "Recall of class scratch is only 0.54, one should check the labels of that class";
        check(aim, "check scratch labels", "The labels are fine.", true);
        check(aim, "check labels", "The labels are fine.", false);
    }

    #[test]
    fn names_outweigh_other_words() {
        let aim =
            "The same slow scan is visible in `refund_list`, an index on `paid_at` is missing";
        check(aim, "now the refunds", "`refund_list` uses an index on `refund_paid_at`.", true);
        check(aim, "now the refunds", "`refund_view` is faster.", false);
    }

    #[test]
    fn tools_that_touch_all_names_do_it() {
        let mut turn = Turn { request: "go on".into(), ..Turn::default() };
        turn.evidence.files =
            vec![FileChange { path: "web/picker.ts".into(), ..FileChange::default() }];
        let does = |aim: &str| Deeds::of(&turn).is_some_and(|deeds| deeds.does(&Aim::of(aim)));
        assert!(does("`picker.ts` still loses the focus in the old way"));
        assert!(!does("`picker.ts` and `list.ts` still lose the focus"));
        assert!(!does("The focus is still lost"));
    }

    #[test]
    fn a_name_that_is_a_plain_word_is_no_proof() {
        let aim = "document `after` in the OpenAPI file";
        check(
            aim,
            "ok do that, but keep ?after compatible",
            "`?after` still takes a number.",
            false,
        );
        let mut turn = Turn { request: "go on".into(), ..Turn::default() };
        turn.evidence.names = vec!["after".into()];
        turn.evidence.files =
            vec![FileChange { path: "api/routes.ts".into(), ..FileChange::default() }];
        let does = |turn: &Turn| Deeds::of(turn).is_some_and(|deeds| deeds.does(&Aim::of(aim)));
        assert!(!does(&turn));
        turn.evidence.files[0].path = "api/openapi-file.yaml".into();
        assert!(does(&turn));
    }

    #[test]
    fn other_alphabets_are_compared_by_beginnings() {
        check("Проверить индекс таблицы", "теперь индексы", "Таблица проверена.", true);
        check("Проверить индекс таблицы", "теперь индексы", "Готово.", false);
    }

    #[test]
    fn short_requests_name_steps_by_number() {
        assert_eq!(numbers("do number 2 now please"), [2]);
        assert_eq!(numbers("#1 und 3."), [1, 3]);
        assert!(numbers("bump it to 1.4").is_empty());
        assert!(numbers("please add 2 more rows to the table on page 1").is_empty());
    }
}
