//! Finds the names that an edit defines or adds. They are for search only, so a name too many does
//! little harm. The scanner knows no language: a name follows a keyword of definitions, or it looks like
//! code (`parse_line`, `parseLine`, `MAX_LEN`) and was not in the removed text.

use std::collections::HashSet;

/// Maximum number of names of one edit. More than a turn keeps: the most telling ones remain.
const MAX_NAMES: usize = 200;
/// Names are between these numbers of bytes long.
const MIN_LEN: usize = 3;
const MAX_LEN: usize = 60;
/// Longer lines are data or minified code.
const MAX_LINE: usize = 600;

/// The names in the lines of a patch, each of which begins with ` `, `-` or `+`: first those that it
/// defines, then those that it adds.
pub fn read(lines: &[String]) -> Vec<String> {
    let removed = lines.iter().filter_map(|l| l.strip_prefix('-')).filter(|l| l.len() <= MAX_LINE);
    let mut known: HashSet<&str> = removed.flat_map(identifiers).collect();
    let added = || lines.iter().filter_map(|l| l.strip_prefix('+')).filter(|l| l.len() <= MAX_LINE);
    let mut names = Vec::new();
    let mut push = |name| {
        let fits = (MIN_LEN..=MAX_LEN).contains(&str::len(name)) && names.len() < MAX_NAMES;
        if fits && known.insert(name) {
            names.push(name.to_owned());
        }
    };
    added().for_each(|line| definitions(line, &mut push));
    let is_telling = |name: &&str| looks_like_code(name) && !is_keyword(name);
    added().flat_map(identifiers).filter(is_telling).for_each(push);
    names
}

/// The identifiers of a line, without `$` and `@`.
fn identifiers(line: &str) -> impl Iterator<Item = &str> {
    let words = line.split(|c: char| !(c.is_alphanumeric() || c == '_'));
    words.map(|word| word.trim_matches('_')).filter(|word| word.starts_with(char::is_alphabetic))
}

/// Whether a word is written as only code is: with `_`, with a capital inside, or with a digit inside.
pub fn looks_like_code(word: &str) -> bool {
    if !(MIN_LEN..=MAX_LEN).contains(&word.len()) || is_hash(word) {
        return false;
    }
    let mut before = ' ';
    for c in word.chars() {
        let hump = c.is_uppercase() && before.is_lowercase();
        let digit = c.is_ascii_digit() && before.is_alphabetic();
        if c == '_' || hump || digit {
            return true;
        }
        before = c;
    }
    false
}

/// Whether a word is part of a hash, a UUID or other data.
fn is_hash(word: &str) -> bool {
    let digits = word.bytes().filter(u8::is_ascii_digit).count();
    let is_hex = word.bytes().all(|b| b.is_ascii_hexdigit());
    is_hex && digits >= 2 || digits * 2 > word.len()
}

/// Passes the names that a line defines to `add`.
fn definitions<'a>(line: &'a str, add: &mut dyn FnMut(&'a str)) {
    let line = line.trim();
    if line.starts_with("//") || line.starts_with("# ") || line.starts_with('*') {
        return;
    }
    if let Some(name) = style_rule(line).or_else(|| test_title(line)).or_else(|| method(line)) {
        add(name);
    }
    let mut rest = line;
    // Whether only modifiers precede. Later in a line, only the keywords of SQL count.
    let mut at_start = true;
    let mut is_definition = false;
    while let Some((word, after)) = next_word(rest) {
        rest = after;
        let keyword = is_keyword(word) && (at_start || is_upper(word));
        if is_definition && !keyword && is_between(word) {
            continue;
        }
        if is_definition && !keyword {
            add(word);
            is_definition = false;
            at_start = false;
        } else if keyword {
            // The keyword and the name are apart by spaces or, in Go, by a receiver.
            is_definition = after.starts_with([' ', '\t', '!']);
            if word == "func" {
                rest = after_receiver(after);
            }
        } else {
            at_start &= is_modifier(word);
        }
    }
}

/// Whether this word may stand between the keyword of a definition and the name.
fn is_between(word: &str) -> bool {
    const WORDS: [&str; 17] = [
        "IF", "NOT", "EXISTS", "mut", "int", "char", "bool", "boolean", "float", "double", "long",
        "short", "unsigned", "void", "string", "auto", "self",
    ];
    WORDS.contains(&word)
}

fn is_upper(word: &str) -> bool {
    word.bytes().all(|b| b.is_ascii_uppercase())
}

/// Whether this word may precede the keyword of a definition.
fn is_modifier(word: &str) -> bool {
    const MODIFIERS: [&str; 26] = [
        "pub",
        "crate",
        "super",
        "in",
        "export",
        "default",
        "declare",
        "async",
        "unsafe",
        "extern",
        "private",
        "public",
        "protected",
        "internal",
        "abstract",
        "final",
        "sealed",
        "open",
        "data",
        "override",
        "inline",
        "suspend",
        "static",
        "virtual",
        "partial",
        "readonly",
    ];
    MODIFIERS.contains(&word)
}

/// `func (s *Server) Start(`: what follows the receiver.
fn after_receiver(rest: &str) -> &str {
    match rest.trim_start().strip_prefix('(') {
        Some(inner) => inner.split_once(')').map_or("", |(_, rest)| rest),
        None => rest,
    }
}

/// The next identifier of a line and what follows it. Strings and comments count as code: a name too
/// many does no harm.
fn next_word(text: &str) -> Option<(&str, &str)> {
    let start = text.find(|c: char| c.is_alphabetic() || c == '_')?;
    let text = &text[start..];
    let end = text.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(text.len());
    Some((&text[..end], &text[end..]))
}

/// Whether a name follows this word in the definition of something, in one of the common languages.
fn is_keyword(word: &str) -> bool {
    matches!(
        word,
        "fn" | "def"
            | "defp"
            | "defmodule"
            | "defmacro"
            | "function"
            | "func"
            | "fun"
            | "sub"
            | "class"
            | "struct"
            | "enum"
            | "union"
            | "trait"
            | "impl"
            | "interface"
            | "protocol"
            | "extension"
            | "type"
            | "typedef"
            | "module"
            | "mod"
            | "namespace"
            | "package"
            | "record"
            | "object"
            | "macro_rules"
            | "const"
            | "val"
            | "TABLE"
            | "table"
            | "VIEW"
            | "INDEX"
            | "COLUMN"
            | "PROCEDURE"
            | "FUNCTION"
            | "TYPE"
    )
}

/// `.card-title {`, `#menu,`: the class or id of a style rule; `--accent: …`: its property.
fn style_rule(line: &str) -> Option<&str> {
    let name_end = |text: &str| {
        text.find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-'))).unwrap_or(text.len())
    };
    if let Some(rest) = line.strip_prefix("--") {
        let end = name_end(rest);
        return rest[end..].starts_with(':').then(|| &rest[..end]);
    }
    let rest = line.strip_prefix(['.', '#']).filter(|_| line.ends_with(['{', ',']))?;
    let end = name_end(rest);
    let starts = rest.starts_with(|c: char| c.is_ascii_alphabetic());
    // `.then(…, ` is a call.
    (starts && !rest[end..].starts_with('(')).then(|| &rest[..end])
}

/// The title in `it("adds an item", …)`, `test "parses nothing" do`.
fn test_title(line: &str) -> Option<&str> {
    const MARKS: [&str; 6] = ["describe", "context", "it", "test", "testset", "scenario"];
    let mark = MARKS.iter().find_map(|mark| line.strip_prefix(mark))?;
    let rest = mark.trim_start_matches(['(', ' ']);
    let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\'' | '`'))?;
    rest[1..].split(quote).next().filter(|title| title.contains(' '))
}

/// `total(items) {`: a method without a keyword. Its name begins the line or follows modifiers.
fn method(line: &str) -> Option<&str> {
    let head = line.strip_suffix('{')?;
    let (before, _) = head.split_once('(')?;
    let name = before.rsplit(|c: char| !(c.is_alphanumeric() || c == '_')).next()?;
    const CONTROL: [&str; 14] = [
        "if", "for", "while", "switch", "catch", "match", "with", "else", "return", "function",
        "fn", "func", "foreach", "when",
    ];
    let plain = before.chars().all(|c| c.is_alphanumeric() || " _*&<>[],:".contains(c));
    (plain && !name.is_empty() && !CONTROL.contains(&name) && !before.starts_with("return"))
        .then_some(name)
}

/// The classes and codes of errors in an output: `ValueError`, `E0425`, `TS2345`, `ENOENT`. At most 8.
pub fn error_classes(output: &str) -> Vec<String> {
    const MAX_ERRORS: usize = 8;
    let mut found: Vec<String> = Vec::new();
    let lines = output.lines().filter(|line| line.len() <= MAX_LINE);
    for word in lines.flat_map(|line| line.split(|c: char| !(c.is_alphanumeric() || c == '_'))) {
        if is_error_class(word) && !found.iter().any(|f| f == word) {
            found.push(word.to_owned());
            if found.len() == MAX_ERRORS {
                break;
            }
        }
    }
    found
}

/// Whether a word is the class or the code of an error.
pub fn is_error_class(word: &str) -> bool {
    if !(4..=MAX_LEN).contains(&word.len()) || !word.starts_with(|c: char| c.is_ascii_uppercase()) {
        return false;
    }
    let class = ["Error", "Exception", "Failure", "Fault"].iter().any(|end| {
        word.strip_suffix(end).is_some_and(|rest| {
            rest.ends_with(|c: char| c.is_lowercase() || c.is_ascii_uppercase())
        })
    });
    let letters = word.bytes().take_while(u8::is_ascii_uppercase).count();
    let digits = word.len() - letters;
    let code = (1..=3).contains(&letters)
        && (3..=5).contains(&digits)
        && word.bytes().skip(letters).all(|b| b.is_ascii_digit())
        && matches!(&word[..letters], "E" | "TS" | "CS" | "F" | "C" | "SC" | "BC" | "CA" | "LNK");
    const ERRNO: [&str; 16] = [
        "ENOENT",
        "EACCES",
        "EADDRINUSE",
        "ECONNREFUSED",
        "ECONNRESET",
        "EEXIST",
        "EINVAL",
        "EISDIR",
        "EMFILE",
        "ENOSPC",
        "ENOTDIR",
        "ENOTEMPTY",
        "EPERM",
        "EPIPE",
        "ETIMEDOUT",
        "ERESOLVE",
    ];
    class || code || ERRNO.contains(&word) || word.starts_with("ERR_")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(patch: &str) -> Vec<String> {
        read(&patch.lines().map(str::to_owned).collect::<Vec<_>>())
    }

    fn check(patch: &str, expected: &[&str]) {
        assert_eq!(names(patch), expected, "{patch}");
    }

    #[test]
    fn definitions_of_many_languages_are_found() {
        check("+pub(crate) async fn run<T>(x: T)", &["run"]);
        check("+def empty(self):", &["empty"]);
        check("+export default class Cart extends Base {", &["Cart"]);
        check("+func (s *Server) Start(ctx Ctx) error {", &["Start"]);
        check("+defmodule My.App do", &[]);
        check("+  defp parse(line), do: line", &["parse"]);
        check("+const limit = 3", &["limit"]);
        check("+CREATE TABLE IF NOT EXISTS orders (", &["orders"]);
        check("+ALTER TABLE orders ADD COLUMN total int", &["orders", "total"]);
        check("+  total(items) {", &["total"]);
        check("+  public static int count(List<X> xs) {", &["count"]);
        check("+  if (ready(x)) {", &[]);
        check("+.card-title, .x {", &["card-title"]);
        check("+  --accent: red;", &["accent"]);
        check("+  it('adds an item', () => {", &["adds an item"]);
        check("+macro_rules! check {", &["check"]);
        check("+type Handler = ()", &["Handler"]);
    }

    #[test]
    fn added_identifiers_are_found_unless_removed() {
        check(
            "-  let old_name = parseLine(x)\n+  let new_name = parseLine(y, MAX_LEN)\n kept_name()",
            &["new_name", "MAX_LEN"],
        );
        check("+a plain English sentence, in words", &[]);
        check("+id = '3f2a9c1b77aa' # 550e8400e29b", &[]);
        check("+import { useState } from 'react18x'", &["useState", "react18x"]);
        assert!(names(&"+x".repeat(1000)).is_empty());
        let many: String = (0..300).map(|n| format!("+name_{n}\n")).collect();
        assert_eq!(names(&many).len(), MAX_NAMES);
    }

    #[test]
    fn error_classes_are_found() {
        let output = "Traceback:\n  ValueError: bad\nerror[E0425]: cannot find\nsrc/a.ts(3,1): error TS2345: x\n** (Ecto.NoResultsError) none\nnpm ERR! code ENOENT\njava.lang.NullPointerException\nError: x\nAn Error";
        let expected =
            ["ValueError", "E0425", "TS2345", "NoResultsError", "ENOENT", "NullPointerException"];
        assert_eq!(error_classes(output), expected);
    }
}
