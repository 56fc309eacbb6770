//! API keys, from `secrets.toml` next to the user's own config file or from the environment.
//!
//! The file takes precedence, because a project's `.envrc` must not choose the account that receives
//! the user's text. A file that other users can read is rejected. Keys never reach a log, an argument
//! list or an error message: the `Debug` output of [`Secret`] hides the key.

use std::fmt;
use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::edit;
use super::{Env, Settings};
use crate::files;

/// An API key.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub fn new(text: impl Into<String>) -> Secret {
        Secret(text.into())
    }

    /// The key itself, for the HTTP header only.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Where a key was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeySource {
    File,
    Environment,
}

/// The path of the secrets file.
pub fn file(settings: &Settings) -> Option<PathBuf> {
    Some(settings.own_config.as_ref()?.with_file_name("secrets.toml"))
}

/// Looks up an API key by several names, first in the file, then in the environment.
///
/// # Errors
/// A message if the secrets file is unsafe or unreadable.
pub fn api_key(
    settings: &Settings,
    env: Env,
    names: &[String],
) -> Result<Option<(Secret, KeySource)>, String> {
    let stored = match file(settings) {
        Some(file) => read(&file)?,
        None => Vec::new(),
    };
    let in_file = |name: &String| {
        let found = stored.iter().find(|(stored, _)| stored == name)?;
        Some((found.1.clone(), KeySource::File))
    };
    let in_env = |name: &String| {
        let text = env(name)?.into_string().ok()?;
        let text = text.trim();
        (!text.is_empty()).then(|| (Secret::new(text), KeySource::Environment))
    };
    Ok(names.iter().find_map(in_file).or_else(|| names.iter().find_map(in_env)))
}

/// Reads all names and keys, sorted by name. Empty if there is no file.
///
/// # Errors
/// A message with the path and, if the file is unsafe, the command that fixes it.
pub fn read(path: &Path) -> Result<Vec<(String, Secret)>, String> {
    let fail = |e: io::Error| format!("{}: {e}", path.display());
    let mut file = match files::open_regular(path) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(fail(e)),
    };
    let meta = file.metadata().map_err(fail)?;
    if meta.uid() != nix::unistd::getuid().as_raw() {
        return Err(format!("{} belongs to another user and is not used", path.display()));
    }
    if meta.mode() & 0o077 != 0 {
        return Err(format!(
            "{0} is readable by other users and is not used; run `chmod 600 {0}`",
            path.display()
        ));
    }
    let mut text = String::new();
    file.read_to_string(&mut text).map_err(fail)?;
    // Do not include the parser's error: it quotes the text of the file.
    let table: toml::Table = text.parse().map_err(|e: toml::de::Error| {
        let line = e.span().map_or(1, |span| text[..span.start].matches('\n').count() + 1);
        let path = path.display();
        format!("{path}, line {line}: not valid TOML; expected lines like NAME = \"key\"")
    })?;
    let mut secrets = Vec::with_capacity(table.len());
    for (name, value) in table {
        match value {
            toml::Value::String(key) => secrets.push((name, Secret(key))),
            _ => {
                return Err(format!("{}: {name} is not a quoted string", path.display()));
            }
        }
    }
    Ok(secrets)
}

/// Stores a key and replaces one of the same name.
///
/// # Errors
/// A message if the file is unsafe or cannot be written.
pub fn set(path: &Path, name: &str, secret: &Secret) -> Result<(), String> {
    read(path)?;
    edit::change(path, |document| {
        document[name] = toml_edit::value(secret.expose());
        true
    })
}

/// Removes a key. Returns whether it was stored.
///
/// # Errors
/// A message if the file is unsafe or cannot be written.
pub fn unset(path: &Path, name: &str) -> Result<bool, String> {
    read(path)?;
    if !fs::exists(path).unwrap_or(true) {
        return Ok(false);
    }
    let mut was_stored = false;
    edit::change(path, |document| {
        was_stored = document.remove(name).is_some();
        was_stored
    })?;
    Ok(was_stored)
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn debug_output_hides_the_key() {
        let key = Secret::new("sk-very-secret");
        assert!(!format!("{key:?} {:?}", Some((&key, KeySource::File))).contains("very"));
    }

    #[test]
    fn the_file_is_private_and_an_unsafe_file_is_rejected() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("conf/secrets.toml");
        assert!(read(&path).unwrap().is_empty());
        assert!(!unset(&path, "A").unwrap() && !path.exists());
        set(&path, "A", &Secret::new("one \"two\"")).unwrap();
        set(&path, "B", &Secret::new("b")).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
        let kept = read(&path).unwrap();
        assert_eq!(kept[0], ("A".to_owned(), Secret::new("one \"two\"")));
        assert!(unset(&path, "A").unwrap() && !unset(&path, "A").unwrap());
        assert_eq!(read(&path).unwrap().len(), 1);

        fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        let refused = [
            read(&path).unwrap_err(),
            set(&path, "A", &Secret::new("x")).unwrap_err(),
            unset(&path, "B").unwrap_err(),
        ];
        assert!(refused.iter().all(|why| why.contains("chmod 600 /")), "{refused:?}");
    }

    #[test]
    fn errors_name_the_file_and_do_not_quote_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secrets.toml");
        for text in ["A = sk-very-secret", "A = ['sk-very-secret']", "[A]\nB = 'sk-very-secret'"] {
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
            let why = read(&path).unwrap_err();
            assert!(why.contains("secrets.toml") && !why.contains("very"), "{why}");
        }
    }

    #[test]
    fn the_file_takes_precedence_over_the_environment() {
        let dir = tempfile::tempdir().unwrap();
        let vars = [("HOME", "/h"), ("A", "env"), ("B", " env "), ("C", "")];
        let env = |name: &str| {
            vars.iter().find(|(n, _)| *n == name).map(|(_, value)| OsString::from(value))
        };
        let home = Ok(Some(dir.path().to_owned()));
        let settings = super::super::load(&env, home, &|_| Vec::new()).unwrap();
        set(&file(&settings).unwrap(), "A", &Secret::new("file")).unwrap();
        let check = |names: &[&str], expected: Option<(&str, KeySource)>| {
            let names: Vec<String> = names.iter().map(|n| (*n).to_owned()).collect();
            let found = api_key(&settings, &env, &names).unwrap();
            let found = found.as_ref().map(|(key, source)| (key.expose(), *source));
            assert_eq!(found, expected, "{names:?}");
        };
        check(&["A"], Some(("file", KeySource::File)));
        check(&["B"], Some(("env", KeySource::Environment)));
        check(&["B", "A"], Some(("file", KeySource::File)));
        check(&["C", "D"], None);
        check(&[], None);
    }
}
