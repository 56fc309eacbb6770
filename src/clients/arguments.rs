//! The table of argument names, and a reader that collects the known arguments of a tool's input.
//!
//! The input is read in one pass. Arguments count at any depth, because some tools take lists of
//! edits or of files. Names are compared without case, `_` and `-`.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use super::salvage;

/// Maximum bytes of a path. A longer value of a path argument is not a path.
const MAX_PATH: usize = 4096;

/// At most this many different names are looked up in truncated JSON.
const MAX_SALVAGED: usize = 64;

/// The meaning of an argument, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Argument {
    /// The one file that the tool reads or changes.
    File,
    Path,
    /// A pattern of paths, or a list of file names. Counts in an input, but not in a response, which
    /// may list files without their content.
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
    match &*normalize(name) {
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

/// Whether clients give this name to a field of an input or a response. Any other name in them is text,
/// for example a key in the object that an MCP server returns.
pub fn is_field(name: &str) -> bool {
    argument(name) != Argument::Unknown || FIELDS.binary_search(&&*normalize(name)).is_ok()
}

/// Names of fields that are no arguments, in order.
const FIELDS: [&str; 76] = [
    "activeform",
    "agentid",
    "agenttype",
    "annotations",
    "answer",
    "answers",
    "backgroundtaskid",
    "bytes",
    "cell",
    "cellid",
    "celltype",
    "code",
    "data",
    "description",
    "durationms",
    "error",
    "exitcode",
    "gitdiff",
    "header",
    "interrupted",
    "isasync",
    "iserror",
    "isimage",
    "label",
    "limit",
    "lines",
    "llmcontent",
    "message",
    "messages",
    "metadata",
    "mimetype",
    "mode",
    "multiselect",
    "name",
    "newlines",
    "newstart",
    "newtodos",
    "notes",
    "numfiles",
    "numlines",
    "offset",
    "oldlines",
    "oldstart",
    "oldtodos",
    "options",
    "originalfile",
    "output",
    "plan",
    "priority",
    "question",
    "questions",
    "replaceall",
    "result",
    "results",
    "returncode",
    "returndisplay",
    "runinbackground",
    "startline",
    "status",
    "statuschange",
    "stderr",
    "stdout",
    "step",
    "structuredcontent",
    "structuredpatch",
    "subagenttype",
    "subject",
    "success",
    "task",
    "taskid",
    "text",
    "timeout",
    "title",
    "todos",
    "totallines",
    "type",
];

/// A name in lower case, without `_` and `-`.
pub(super) fn normalize(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

/// The arguments found in an input.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Arguments {
    /// Paths and patterns of paths, in the order of the input.
    pub paths: Vec<String>,
    pub commands: Vec<String>,
    /// Texts of patches. An input that is plain text counts as one.
    pub texts: Vec<String>,
    pub pattern: Option<String>,
    pub query: Option<String>,
    pub url: Option<String>,
    pub prompt: Option<String>,
    /// An argument names the one file of the use.
    pub names_file: bool,
    pub has_command: bool,
    /// An argument contains the old or the new text of an edit.
    pub replaces: bool,
    pub has_content: bool,
}

impl Arguments {
    /// `input`: JSON, truncated JSON or plain text.
    pub fn from_input(input: &str) -> Arguments {
        let mut found = Arguments::default();
        found.read(input);
        found
    }

    fn read(&mut self, input: &str) {
        let input = input.trim();
        let mut json = serde_json::Deserializer::from_str(input);
        let seed = Collector { found: self, argument: Argument::Root, in_response: false };
        if seed.deserialize(&mut json).is_ok() {
            return;
        }
        if input.starts_with(['{', '[', '"']) {
            self.salvage(input);
        } else if !input.is_empty() {
            self.texts.push(input.to_owned());
        }
    }

    /// Reads what is left of truncated JSON.
    fn salvage(&mut self, text: &str) {
        let names = text.split('"').skip(1).filter(|name| {
            let is_name =
                name.len() <= 30 && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
            is_name && argument(name) != Argument::Unknown
        });
        let mut seen: Vec<&str> = Vec::new();
        for name in names {
            // Each name takes a search of the whole text.
            if !seen.contains(&name) && seen.len() < MAX_SALVAGED {
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

    fn add(&mut self, argument: Argument, value: &str, in_response: bool) {
        let owned = || value.to_owned();
        // In a response, a value with line breaks is content. In an input, it may be a path.
        let is_path =
            !value.is_empty() && value.len() <= MAX_PATH && !(in_response && value.contains('\n'));
        match argument {
            Argument::File | Argument::Path if is_path => {
                self.names_file |= argument == Argument::File;
                self.paths.push(owned());
            }
            Argument::PathPattern if is_path && !in_response => self.paths.push(owned()),
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
            // Some clients send the arguments as JSON inside a string.
            Argument::Root if value.trim_start().starts_with('{') => self.read(value),
            Argument::Root => self.texts.push(owned()),
            _ => {}
        }
    }
}

/// The paths in the objects of a response, which may contain the content of these files. Lists of
/// names do not count.
pub fn paths_in(response: &str) -> Vec<String> {
    let mut found = Arguments::default();
    let mut json = serde_json::Deserializer::from_str(response);
    let seed = Collector { found: &mut found, argument: Argument::Unknown, in_response: true };
    // Paths found before a syntax error count.
    let _ = seed.deserialize(&mut json);
    found.paths
}

/// Collects the arguments in one value. `argument` is the meaning of the value itself.
struct Collector<'a> {
    found: &'a mut Arguments,
    argument: Argument,
    in_response: bool,
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
        self.found.add(self.argument, text, self.in_response);
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key::<String>()? {
            let argument = argument(&name);
            self.found.replaces |= argument == Argument::Replacement;
            self.found.has_content |= argument == Argument::Content;
            let found = &mut *self.found;
            map.next_value_seed(Collector { found, argument, in_response: self.in_response })?;
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
            let seed = Collector { found, argument, in_response: self.in_response };
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

/// The command line of a list of words: of `bash -l -c LINE ARGUMENTS`, only `LINE ARGUMENTS`.
fn command_line(words: &[String]) -> Option<String> {
    let is_shell = words.first().is_some_and(|w| w.ends_with("sh") && !w.ends_with("ssh"));
    let is_flag = |word: &String| {
        let flag = word.strip_prefix('-').unwrap_or("");
        flag.ends_with('c') && flag.bytes().all(|b| b.is_ascii_lowercase())
    };
    let line_at = words.iter().position(is_flag).filter(|_| is_shell).map_or(0, |at| at + 1);
    let line = &words[line_at..];
    (!line.is_empty()).then(|| line.join(" "))
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
    fn names_of_fields_are_known() {
        assert!(FIELDS.is_sorted());
        for name in ["file_path", "filePath", "stdout", "exit_code", "totalLines", "type"] {
            assert!(is_field(name), "{name}");
        }
        for name in ["", "hunter2", "pin", "Anna"] {
            assert!(!is_field(name), "{name}");
        }
    }

    #[test]
    fn a_list_of_words_is_one_command_line() {
        let check = |words: &[&str], expected: Option<&str>| {
            let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            assert_eq!(command_line(&words).as_deref(), expected, "{words:?}");
        };
        check(&["bash", "-l", "-c", "cat .env"], Some("cat .env"));
        check(&["/bin/bash", "-o", "pipefail", "-ec", "cat $0", ".env"], Some("cat $0 .env"));
        check(&["ssh", "-p", "22", "host", "cat .env"], Some("ssh -p 22 host cat .env"));
        check(&["bash", "run.sh"], Some("bash run.sh"));
        check(&["bash", "-c"], None);
        check(&[], None);
    }

    #[test]
    fn arguments_are_read_from_truncated_json() {
        let found = Arguments::from_input(r#"{"file_path":"/p/a.rs","content":"fn a…[9 bytes c"#);
        assert_eq!(found.paths, ["/p/a.rs"]);
        assert_eq!(Arguments::from_input(r#"{"command":"cat .e"#).commands, ["cat .e"]);
    }

    #[test]
    fn only_objects_of_a_response_name_files() {
        let response = r#"{"filenames":["x"],"file":{"filePath":"/p/.env","content":"A=1"},"x":[{"uri":"file:///p/b"}]}"#;
        assert_eq!(paths_in(response), ["/p/.env", "file:///p/b"]);
    }
}
