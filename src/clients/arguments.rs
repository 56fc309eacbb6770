//! The arguments of a tool's input that say what the use is about, whatever a client calls them.
//!
//! The input is read in one pass. Arguments count at any depth, because some tools take lists of
//! edits or of files. Names are compared without case, `_` and `-`.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use super::salvage;

/// Longer values of a path argument are no paths.
const MAX_PATH: usize = 4096;

/// What an argument is, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Argument {
    /// A file that the use is about as a whole.
    File,
    Path,
    /// A pattern of paths, and a list that only names files: a path in an input, not in a response.
    PathPattern,
    Command,
    Code,
    Patch,
    Pattern,
    Query,
    Url,
    Prompt,
    /// The text that an edit replaces, or its replacement.
    Replacement,
    Content,
    /// The input itself.
    Root,
    Unknown,
}

fn argument(name: &str) -> Argument {
    match &*plain(name) {
        "filepath" | "notebookpath" | "absolutepath" | "targetfile" | "targetnotebook" => {
            Argument::File
        }
        "path"
        | "file"
        | "filename"
        | "relativepath"
        | "relativeworkspacepath"
        | "imagepath"
        | "source"
        | "destination"
        | "sourcepath"
        | "destinationpath"
        | "oldpath"
        | "newpath" => Argument::Path,
        "paths" | "files" | "filepaths" | "filenames" | "include" | "glob" | "globs"
        | "dirpath" => Argument::PathPattern,
        "command" | "cmd" | "script" | "commandline" => Argument::Command,
        "code" | "chars" => Argument::Code,
        "patch" | "patchtext" | "input" | "diff" => Argument::Patch,
        "pattern" => Argument::Pattern,
        "query" | "libraryname" | "library" => Argument::Query,
        "url" | "uri" => Argument::Url,
        "prompt" => Argument::Prompt,
        "oldstring" | "newstring" | "oldstr" | "newstr" | "edits" => Argument::Replacement,
        "content" | "contents" | "filetext" => Argument::Content,
        _ => Argument::Unknown,
    }
}

/// Whether an argument of this name holds the path of a file.
pub fn is_path_argument(name: &str) -> bool {
    matches!(argument(name), Argument::File | Argument::Path)
}

/// A name without case, `_` and `-`.
pub(super) fn plain(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

/// The arguments found.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Arguments {
    /// Files and patterns of files, in the order of the input.
    pub paths: Vec<String>,
    pub commands: Vec<String>,
    /// Texts of patches; also an input that is one text.
    pub texts: Vec<String>,
    pub pattern: Option<String>,
    pub query: Option<String>,
    pub url: Option<String>,
    pub prompt: Option<String>,
    pub names_file: bool,
    pub has_command: bool,
    pub replaces: bool,
    pub has_content: bool,
}

impl Arguments {
    /// `input`: JSON, JSON that was cut, or a plain text.
    pub fn from_input(input: &str) -> Arguments {
        let mut found = Arguments::default();
        found.read(input);
        found
    }

    fn read(&mut self, input: &str) {
        let input = input.trim();
        let mut json = serde_json::Deserializer::from_str(input);
        let seed = Collector { found: self, argument: Argument::Root, responses: false };
        if seed.deserialize(&mut json).is_ok() {
            return;
        }
        if input.starts_with(['{', '[', '"']) {
            self.salvage(input);
        } else if !input.is_empty() {
            self.texts.push(input.to_owned());
        }
    }

    /// What can be read of JSON that was cut.
    fn salvage(&mut self, text: &str) {
        let names = text.split('"').skip(1).filter(|name| {
            let plain =
                name.len() <= 30 && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
            plain && argument(name) != Argument::Unknown
        });
        let mut seen: Vec<&str> = Vec::new();
        for name in names {
            if !seen.contains(&name) {
                seen.push(name);
                if let Some(value) = salvage(text, name).filter(|value| !self.has(value)) {
                    self.add(argument(name), &value, false);
                }
            }
        }
    }

    fn has(&self, value: &String) -> bool {
        [&self.paths, &self.commands, &self.texts].iter().any(|found| found.contains(value))
    }

    fn add(&mut self, argument: Argument, value: &str, responses: bool) {
        let owned = || value.to_owned();
        // In a response, a member of several lines is content. An input may name any file.
        let is_path =
            !value.is_empty() && value.len() <= MAX_PATH && !(responses && value.contains('\n'));
        match argument {
            Argument::File | Argument::Path if is_path => {
                self.names_file |= argument == Argument::File;
                self.paths.push(owned());
            }
            Argument::PathPattern if is_path && !responses => self.paths.push(owned()),
            Argument::Command | Argument::Code => {
                self.has_command |= argument == Argument::Command;
                self.commands.push(owned());
            }
            Argument::Patch => self.texts.push(owned()),
            Argument::Pattern => drop(self.pattern.get_or_insert_with(owned)),
            Argument::Query => drop(self.query.get_or_insert_with(owned)),
            Argument::Url => {
                if is_path && value.starts_with("file:") {
                    self.paths.push(owned());
                }
                self.url.get_or_insert_with(owned);
            }
            Argument::Prompt => drop(self.prompt.get_or_insert_with(owned)),
            // Some clients send the arguments as a string of JSON.
            Argument::Root if value.trim_start().starts_with('{') => self.read(value),
            Argument::Root => self.texts.push(owned()),
            _ => {}
        }
    }
}

/// The paths that the objects of a response name: those of files whose content it may hold. Lists
/// of names do not count.
pub fn paths_in(response: &str) -> Vec<String> {
    let mut found = Arguments::default();
    let mut json = serde_json::Deserializer::from_str(response);
    let seed = Collector { found: &mut found, argument: Argument::Unknown, responses: true };
    // What was found before an error counts.
    let _ = seed.deserialize(&mut json);
    found.paths
}

/// Visits one value: the argument of this kind.
struct Collector<'a> {
    found: &'a mut Arguments,
    argument: Argument,
    responses: bool,
}

impl<'de> DeserializeSeed<'de> for Collector<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Collector<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("any JSON")
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        self.found.add(self.argument, text, self.responses);
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key::<String>()? {
            let argument = argument(&name);
            self.found.replaces |= argument == Argument::Replacement;
            self.found.has_content |= argument == Argument::Content;
            let found = &mut *self.found;
            map.next_value_seed(Collector { found, argument, responses: self.responses })?;
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        // `["bash", "-lc", "cargo test"]` is one command.
        let before = self.found.commands.len();
        let argument =
            if self.argument == Argument::Root { Argument::Unknown } else { self.argument };
        loop {
            let found = &mut *self.found;
            let seed = Collector { found, argument, responses: self.responses };
            if seq.next_element_seed(seed)?.is_none() {
                break;
            }
        }
        if self.argument == Argument::Command {
            let words = self.found.commands.split_off(before);
            self.found.commands.extend(command_line(&words));
        }
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

/// The command line in a list of words.
fn command_line(words: &[String]) -> Option<String> {
    match words {
        [shell, flag, line, ..] if shell.ends_with("sh") && flag.starts_with('-') => {
            Some(line.clone())
        }
        [] => None,
        words => Some(words.join(" ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_count_at_any_depth() {
        let found = Arguments::from_input(
            r#"{"path":"a","edits":[{"file-path":"b","old_string":"x"}],"paths":["c","d"],"n":1.5}"#,
        );
        assert_eq!(found.paths, ["a", "b", "c", "d"]);
        assert!(found.replaces && !found.has_content);
        let found = Arguments::from_input(r#""{\"target_file\":\"x\"}""#);
        assert_eq!(found.paths, ["x"]);
        assert_eq!(Arguments::from_input("*** Begin Patch").texts, ["*** Begin Patch"]);
        let words = Arguments::from_input(r#"{"command":["bash","-lc","cargo test"]}"#);
        assert_eq!(words.commands, ["cargo test"]);
        assert_eq!(Arguments::from_input(r#"{"cmd":["ls","-l"]}"#).commands, ["ls -l"]);
    }

    #[test]
    fn arguments_of_cut_json_are_salvaged() {
        let found = Arguments::from_input(r#"{"file_path":"/p/a.rs","content":"fn a…[9 bytes c"#);
        assert_eq!(found.paths, ["/p/a.rs"]);
        assert_eq!(Arguments::from_input(r#"{"command":"cat .e"#).commands, ["cat .e"]);
    }

    #[test]
    fn a_response_names_files_by_its_objects() {
        let response = r#"{"filenames":["x"],"file":{"filePath":"/p/.env","content":"A=1"},"x":[{"uri":"file:///p/b"}]}"#;
        assert_eq!(paths_in(response), ["/p/.env", "file:///p/b"]);
    }
}
