//! Recognizes the names of files that hold secrets.

mod names;

use crate::text::bytes::contains;
use names::{IN_FOLDERS, LINES, LINES_EXTENSIONS, OPAQUE, OPAQUE_EXTENSIONS, WORDS};

/// What a secret file contains.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SecretFile {
    /// Lines with names and values: the values are secrets.
    Lines,
    /// Nothing but secrets: keys, key stores, passwords without names.
    Opaque,
}

/// Recognizes a secret file by its path. A line number or a fragment may follow the name: `.env:3`,
/// `file:///p/.env#L3`.
pub fn secret_file(path: &str) -> Option<SecretFile> {
    if !has_word(path) {
        return None;
    }
    let path = path.trim().trim_matches(['"', '\'', '`']).to_ascii_lowercase();
    let mut parts = path.rsplit(['/', '\\']).filter(|part| !part.is_empty());
    let (name, folder) = (parts.next().unwrap_or(""), parts.next().unwrap_or(""));
    if path.ends_with(['/', '\\']) {
        return None;
    }
    by_name(folder, name).or_else(|| {
        let end = name.find([':', '#', '?'])?;
        by_name(folder, &name[..end])
    })
}

pub fn is_secret_file(path: &str) -> bool {
    secret_file(path).is_some()
}

fn by_name(folder: &str, name: &str) -> Option<SecretFile> {
    let stem_before = |extension: &&str| name.len() > extension.len() && name.ends_with(*extension);
    let in_folder = || {
        let is_it = |(in_folder, file, _): &&(&str, &str, SecretFile)| {
            *in_folder == folder && (file.is_empty() || *file == name)
        };
        IN_FOLDERS
            .iter()
            .find(is_it)
            .filter(|_| !name.ends_with(".pub") && !name.is_empty())
            .map(|(.., kind)| *kind)
    };
    if name.rsplit('.').next().is_some_and(is_sample) || name.ends_with(".pub") {
        return None;
    }
    if LINES.contains(&name) {
        return Some(SecretFile::Lines);
    }
    if OPAQUE.contains(&name) {
        return Some(SecretFile::Opaque);
    }
    if LINES_EXTENSIONS.iter().any(stem_before)
        || name.starts_with(".env.")
        || name.starts_with(".netrc.")
    {
        return Some(SecretFile::Lines);
    }
    let is_public = [
        "cert.pem",
        "chain.pem",
        "fullchain.pem",
        "ca.pem",
        "cacert.pem",
        "public.pem",
        "public.key",
        "pubkey.asc",
        "public.asc",
        "keys.asc",
        "key.asc",
        "keyring.gpg",
        "archive-keyring.gpg",
    ]
    .contains(&name);
    if OPAQUE_EXTENSIONS.iter().any(stem_before)
        && !(is_public && (name.ends_with(".asc") || name.ends_with(".gpg")))
    {
        return Some(SecretFile::Opaque);
    }
    let is_account = ["client_secret_", "service-account", "service_account", "serviceaccount"];
    if name.ends_with(".json") && is_account.iter().any(|part| name.contains(part)) {
        return Some(SecretFile::Lines);
    }
    let is_key =
        !name.contains('.') && ["_rsa", "_ed25519", "_ecdsa", "_dsa"].iter().any(stem_before);
    if is_key || name.starts_with("ssh_host_") && name.ends_with("_key") {
        return Some(SecretFile::Opaque);
    }
    in_folder()
}

/// Whether a command line names a secret file.
pub fn names_secret_file(command: &str) -> bool {
    named_files(command, "").is_some()
}

/// Returns the most secret file that `command` names. `folder` is the directory it runs in, or empty. A
/// word in brackets is code (`f(process.env)`), and a word that begins with a dot is often a field
/// (`jq .key`).
pub fn named_files(command: &str, folder: &str) -> Option<SecretFile> {
    let is_pattern = command.contains(['*', '?', '[', '{']);
    if !is_pattern && !has_word(command) && !has_word(folder) {
        return None;
    }
    let is_separator = |c: char| c.is_whitespace() || "\"'`|;&<>=,:@".contains(c);
    let command = command.to_ascii_lowercase();
    let kind = |word: &str| {
        let word = word.trim_start_matches(['$', '(', '{', '[', '!']);
        let word = word.trim_end_matches(['*', '}', ']', '?']);
        let word = if word.contains('(') { word } else { word.trim_end_matches(')') };
        match word {
            "credentials" | "identity" | "shadow" | "vault" => None,
            _ if word.starts_with('.') && !word.contains(['/', '\\']) => {
                by_name("", word).filter(|_| {
                    LINES.contains(&word) || OPAQUE.contains(&word) || word.starts_with(".env.")
                })
            }
            _ if folder.is_empty() || word.contains(['/', '\\']) || word.is_empty() => {
                secret_file(word)
                    .or_else(|| word.contains('{').then(|| secret_file(&word.replace('{', "")))?)
            }
            _ => secret_file(word).or_else(|| secret_file(&format!("{folder}/{word}"))),
        }
    };
    let by_pattern =
        |word: &str| word.contains(['*', '?', '[']).then(|| matched_by(word)).flatten();
    command.split(is_separator).filter_map(|word| kind(word).max(by_pattern(word))).max()
}

/// Returns the secret file that a pattern of a shell is meant to match: `.e?v`, `cred*`, `*.pem`.
fn matched_by(word: &str) -> Option<SecretFile> {
    let name = word.rsplit('/').next().unwrap_or(word);
    let n_fixed = name.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '.').count();
    let fixed_start = name.find(['*', '?', '[']).unwrap_or(name.len());
    if n_fixed == 0 || !name.starts_with('.') && fixed_start < 4 && !name.starts_with("id_") {
        return None;
    }
    let pattern = glob::Pattern::new(name).ok()?;
    // As in a shell, only a dot matches the dot of a hidden file.
    let is_hidden = |file: &str| file.starts_with('.') && !name.starts_with(['.', '[']);
    let matches = |file: &&&str| !is_hidden(file) && pattern.matches(file);
    OPAQUE
        .iter()
        .find(matches)
        .map(|_| SecretFile::Opaque)
        .or_else(|| LINES.iter().find(matches).map(|_| SecretFile::Lines))
}

/// Whether `text` may name such a file anywhere: a quick test that has false positives only. An escape
/// of JSON may hide a name.
pub fn may_name_secret_file(text: &str) -> bool {
    has_word(text) || contains(text.as_bytes(), b"\\u")
}

/// Whether `text` contains a part of a name. If not, no path in it names a secret file.
fn has_word(text: &str) -> bool {
    let mut found = false;
    WORDS.scan_starts(text.as_bytes(), |_, ()| {
        found = true;
        true
    });
    found
}

/// Where `text` may name such a file, in order.
pub fn possible_names(text: &str) -> Vec<usize> {
    let mut found = Vec::new();
    WORDS.scan_starts(text.as_bytes(), |at, ()| {
        found.push(at);
        false
    });
    found
}

/// Whether this is the last part of a sample's name, such as `.env.example`.
fn is_sample(extension: &str) -> bool {
    matches!(extension, "example" | "sample" | "template" | "dist" | "defaults" | "tmpl" | "tpl")
}

#[cfg(test)]
mod tests;
