//! Reads values from git's config files.

/// One `key = value` of a config file.
#[derive(Debug, Default, PartialEq)]
pub struct Entry {
    /// Its case does not matter.
    section: String,
    pub subsection: String,
    /// Its case does not matter.
    key: String,
    pub value: String,
}

impl Entry {
    pub fn is(&self, section: &str, key: &str) -> bool {
        self.section.eq_ignore_ascii_case(section) && self.key.eq_ignore_ascii_case(key)
    }
}

/// The entries in their order. Keys without a value are left out.
pub fn entries(config: &str) -> Vec<Entry> {
    let joined = config.replace("\\\r\n", "").replace("\\\n", "");
    let (mut section, mut subsection) = (String::new(), String::new());
    let mut found = Vec::new();
    for line in joined.lines() {
        let mut line = line.trim();
        if let Some(header) = line.strip_prefix('[') {
            let (header, rest) = header.split_at(header_end(header));
            (section, subsection) = names(header);
            line = rest.strip_prefix(']').unwrap_or(rest).trim();
        }
        let Some((key, value)) = line.split_once('=') else { continue };
        found.push(Entry {
            section: section.clone(),
            subsection: subsection.clone(),
            key: key.trim().to_owned(),
            value: unquote(value),
        });
    }
    found
}

/// The first value of `key` in the section `[section]` or `[section "subsection"]`. Names of
/// sections and keys ignore case, names of subsections do not.
pub fn first_value(
    config: &str,
    section: &str,
    subsection: Option<&str>,
    key: &str,
) -> Option<String> {
    let subsection = subsection.unwrap_or_default();
    let is_it = |entry: &Entry| entry.is(section, key) && entry.subsection == subsection;
    entries(config).into_iter().find(is_it).map(|entry| entry.value)
}

/// Where the bracket is that closes a header.
fn header_end(header: &str) -> usize {
    let (mut quoted, mut escaped) = (false, false);
    let ends = |c: char| {
        if escaped {
            escaped = false;
            return false;
        }
        match c {
            '"' => quoted = !quoted,
            '\\' => escaped = quoted,
            _ => {}
        }
        c == ']' && !quoted
    };
    header.find(ends).unwrap_or(header.len())
}

/// Section and subsection of `name "subsection"`, or of its old form `name.subsection`, which is in lower
/// case.
fn names(header: &str) -> (String, String) {
    let (name, rest) = header.split_at(header.find(char::is_whitespace).unwrap_or(header.len()));
    let rest = rest.trim();
    if !rest.is_empty() {
        return (name.to_owned(), unquote(rest));
    }
    let (name, subsection) = name.split_once('.').unwrap_or((name, ""));
    (name.to_owned(), subsection.to_lowercase())
}

/// A value without its quotes, escapes and comment. A comment starts with `#` or `;` outside of
/// quotes.
fn unquote(value: &str) -> String {
    let (mut text, mut quoted) = (String::new(), false);
    let mut chars = value.trim().chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => quoted = !quoted,
            '\\' => text.extend(chars.next()),
            '#' | ';' if !quoted => break,
            c => text.push(c),
        }
    }
    text.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_url_of_the_origin_is_found() {
        let check = |config: &str, expected: Option<&str>| {
            let url = first_value(config, "remote", Some("origin"), "url");
            assert_eq!(url.as_deref(), expected, "{config}");
        };
        check("[core]\n bare=false\n[remote \"origin\"]\n\tURL = a:b\n", Some("a:b"));
        check("[Remote \"origin\"] url=\"a:b # c\" ; comment", Some("a:b # c"));
        check("[remote \"origin\"]\nurl = a:\\\nb # comment\n", Some("a:b"));
        check("[remote \"origin\"]\nurl = first\nurl = second\n", Some("first"));
        check("[remote.origin]\nurl = old", Some("old"));
        check("[remote \"a]b\"]\nurl = x\n[remote \"origin\"] url = y", Some("y"));
        check("[remote \"Origin\"]\nurl = x\n[remote \"fork\"]\nurl = y", None);
        check("[remote \"origin\"]\n# url = x\npushurl = y\n", None);
        check("[remote \"origin\"]\nurl =\n", Some(""));
        check("[include]\npath = x\n", None);
        check("[", None);
    }

    #[test]
    fn a_key_outside_of_a_subsection_is_found() {
        let check = |config: &str, expected: Option<&str>| {
            let format = first_value(config, "extensions", None, "objectformat");
            assert_eq!(format.as_deref(), expected, "{config}");
        };
        check("[extensions]\n\tobjectFormat = sha256\n", Some("sha256"));
        check("[core]\n\tobjectFormat = sha256\n", None);
        check("[extensions \"x\"]\n\tobjectFormat = sha256\n", None);
    }
}
