//! Reads values from git's config files.

/// The first value of `key` in the section `[section]` or `[section "subsection"]`. Names of
/// sections and keys ignore case, names of subsections do not.
pub fn first_value(
    config: &str,
    section: &str,
    subsection: Option<&str>,
    key: &str,
) -> Option<String> {
    let joined = config.replace("\\\r\n", "").replace("\\\n", "");
    let mut inside = false;
    for line in joined.lines() {
        let mut line = line.trim();
        if let Some(header) = line.strip_prefix('[') {
            let (header, rest) = header.split_once(']').unwrap_or((header, ""));
            inside = is_section(header, section, subsection);
            line = rest.trim();
        }
        let Some((name, value)) = line.split_once('=') else { continue };
        if inside && name.trim().eq_ignore_ascii_case(key) {
            return Some(unquote(value));
        }
    }
    None
}

/// Whether `header`, the text between the brackets, is this section. `[remote.origin]` is the old
/// form of `[remote "origin"]`.
fn is_section(header: &str, section: &str, subsection: Option<&str>) -> bool {
    let Some(subsection) = subsection else { return header.trim().eq_ignore_ascii_case(section) };
    let (name, rest) = header.split_at(header.find(char::is_whitespace).unwrap_or(header.len()));
    let quoted = name.eq_ignore_ascii_case(section) && rest.trim() == format!("\"{subsection}\"");
    quoted || header.eq_ignore_ascii_case(&format!("{section}.{subsection}"))
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
