//! Edits the config file and the secrets file. Comments and formatting are kept, and the file is
//! replaced atomically with mode 0600.

use std::borrow::Cow;
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use toml_edit::{Array, DocumentMut, Item, Table, TableLike, value};

use super::keys::{self, Key};
use super::parse::list_items;
use super::unit::Unit;
use crate::files;

/// Sets a setting. Lists are written as arrays, counts as numbers.
///
/// # Errors
/// A message if the value is invalid or the file cannot be read or written.
pub fn set(path: &Path, key: &Key, text: &str) -> Result<(), String> {
    keys::check(key, text)?;
    let item = toml_item(key, text);
    let mut error = None;
    change(path, |document| match locate(document.as_table_mut(), key.name) {
        Ok((table, last)) => {
            put(table, last, item);
            true
        }
        Err(why) => {
            error = Some(format!("{}: {why}", path.display()));
            false
        }
    })?;
    error.map_or(Ok(()), Err)
}

/// Removes a setting. Returns whether it was set.
///
/// # Errors
/// A message if the file cannot be read or written.
pub fn unset(path: &Path, key: &Key) -> Result<bool, String> {
    if !fs::exists(path).unwrap_or(true) {
        return Ok(false);
    }
    let mut was_set = false;
    change(path, |document| {
        was_set = remove(document.as_table_mut(), key.name);
        was_set
    })?;
    Ok(was_set)
}

/// Reads the file, applies `f` and writes the result if `f` returns true.
pub(super) fn change(path: &Path, f: impl FnOnce(&mut DocumentMut) -> bool) -> Result<(), String> {
    let fail = |e: io::Error| format!("{}: {e}", path.display());
    let text = match files::read_regular(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => String::new(),
        read => read.map_err(fail)?,
    };
    let mut document: DocumentMut = text.parse().map_err(|e: toml_edit::TomlError| {
        let line = e.span().map_or(1, |span| text[..span.start].matches('\n').count() + 1);
        // Do not include the parser's error: it may quote a secret.
        format!("{}, line {line}: not valid TOML; nothing was changed", path.display())
    })?;
    if f(&mut document) {
        replace_file(path, document.to_string().as_bytes()).map_err(fail)?;
    }
    Ok(())
}

/// Replaces the file atomically: writes a temporary file, syncs it and renames it. If `path` is a
/// symlink, its target is replaced. Creates missing directories with mode 0700.
pub fn replace_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let path = match fs::canonicalize(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => path.to_owned(),
        found => found?,
    };
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    let temp = temp_path(&path);
    let written = (|| {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temp)?;
        file.set_permissions(Permissions::from_mode(0o600))?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&temp, &path)?;
        File::open(dir)?.sync_all()
    })();
    if written.is_err() {
        let _ = fs::remove_file(&temp);
    }
    written
}

fn temp_path(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.new", std::process::id()));
    path.with_file_name(name)
}

/// The value of a setting as [`set`] takes it. A list may also be given as in the file (`["a", "b"]`).
pub fn plain<'a>(key: &Key, text: &'a str) -> Cow<'a, str> {
    let words = if key.unit.is_list() { words_of_array(text) } else { None };
    words.map_or(Cow::Borrowed(text), Cow::Owned)
}

/// The words of a TOML array of strings, with commas between them.
fn words_of_array(text: &str) -> Option<String> {
    let array: toml_edit::Value = text.trim().parse().ok()?;
    let words: Option<Vec<&str>> = array.as_array()?.iter().map(toml_edit::Value::as_str).collect();
    Some(words?.join(","))
}

fn toml_item(key: &Key, text: &str) -> Item {
    match key.unit {
        unit if unit.is_list() => value(list_items(text).collect::<Array>()),
        Unit::Count => match text.parse::<i64>() {
            Ok(n) => value(n),
            Err(_) => value(text),
        },
        Unit::Money => match text.parse::<f64>() {
            Ok(dollars) if text.contains('.') => value(dollars),
            _ => text.parse::<i64>().map_or_else(|_| value(text), value),
        },
        _ => value(text.trim()),
    }
}

/// The table that contains a setting, created if missing, and the setting's name in it.
fn locate<'a, 'n>(
    root: &'a mut Table,
    name: &'n str,
) -> Result<(&'a mut dyn TableLike, &'n str), String> {
    let mut table: &mut dyn TableLike = root;
    let mut parts = name.split('.').peekable();
    loop {
        let part = parts.next().expect("a name has parts");
        if parts.peek().is_none() {
            return Ok((table, part));
        }
        let item = table.entry(part).or_insert_with(|| {
            let mut table = Table::new();
            table.set_implicit(true);
            Item::Table(table)
        });
        table =
            item.as_table_like_mut().ok_or_else(|| format!("{part} is a value, not a table"))?;
    }
}

/// Inserts or replaces a value. A replacement keeps the comment beside it.
fn put(table: &mut dyn TableLike, name: &str, mut item: Item) {
    let old = table.get(name).and_then(Item::as_value).map(|value| value.decor().clone());
    if let (Some(decor), Some(value)) = (old, item.as_value_mut()) {
        *value.decor_mut() = decor;
    }
    table.insert(name, item);
}

/// Removes a setting and the tables that become empty.
fn remove(table: &mut dyn TableLike, name: &str) -> bool {
    let Some((part, rest)) = name.split_once('.') else { return table.remove(name).is_some() };
    let Some(inner) = table.get_mut(part).and_then(Item::as_table_like_mut) else { return false };
    let removed = remove(inner, rest);
    if removed && inner.is_empty() {
        table.remove(part);
    }
    removed
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::super::{Config, find};
    use super::*;

    #[track_caller]
    fn edited(before: &str, f: impl FnOnce(&Path)) -> String {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config.toml");
        fs::write(&path, before).unwrap();
        f(&path);
        let n_files = fs::read_dir(dir.path()).unwrap().count();
        assert_eq!(n_files, 1, "no temporary file is left");
        fs::read_to_string(&path).unwrap()
    }

    #[track_caller]
    fn check_set(before: &str, name: &str, text: &str, after: &str) {
        let result = edited(before, |path| set(path, find(name).unwrap(), text).unwrap());
        assert_eq!(result, after, "{name} = {text}");
        let config = Config::of_text(&result);
        assert!(config.problems.is_empty(), "{:?}", config.problems);
        let value = config.values.iter().find(|v| v.key.name == name).unwrap();
        assert_eq!(value.text.replace(' ', ""), text.replace(' ', ""));
    }

    #[test]
    fn a_list_may_be_given_as_in_the_file() {
        assert_eq!(words_of_array("['/a/*', \"b\"]").as_deref(), Some("/a/*,b"));
        for words in ["/a/*, b", "[ab]*", "[4]", "true"] {
            assert_eq!(words_of_array(words), None, "{words}");
        }
    }

    #[test]
    fn setting_a_value_keeps_the_rest_of_the_file() {
        check_set("", "agent.backend", "claude", "[agent]\nbackend = \"claude\"\n");
        check_set("", "exclude", "/a/*, b", "exclude = [\"/a/*\", \"b\"]\n");
        check_set(
            "# mine\n[worker] # here\nlinger = '5s' # short\n",
            "worker.linger",
            "10s",
            "# mine\n[worker] # here\nlinger = \"10s\" # short\n",
        );
        check_set(
            "[agent]\nbackend = 'claude'\n",
            "agent.budget.day_cost",
            "0.5",
            "[agent]\nbackend = 'claude'\n\n[agent.budget]\nday_cost = 0.5\n",
        );
        check_set(
            "agent = { backend = 'claude' }\n",
            "agent.batch_events",
            "4",
            "agent = { backend = 'claude' , batch_events = 4 }\n",
        );
        check_set("", "agent.batch_bytes", "64KiB", "[agent]\nbatch_bytes = \"64KiB\"\n");
    }

    #[test]
    fn removing_the_last_value_removes_its_table() {
        let check = |before: &str, name: &str, was_set: bool, after: &str| {
            let result = edited(before, |path| {
                assert_eq!(unset(path, find(name).unwrap()).unwrap(), was_set);
            });
            assert_eq!(result, after);
        };
        check("[agent.budget]\nday_cost = 1\n", "agent.budget.day_cost", true, "");
        check("[log]\nmax = '1MiB'\n", "worker.linger", false, "[log]\nmax = '1MiB'\n");
        check("# a\nexclude = ['x']\n# b\n", "exclude", true, "# b\n");
    }

    #[test]
    fn errors_leave_the_file_unchanged() {
        let key = find("worker.linger").unwrap();
        let same = |before: &str, text: &str, want: &str| {
            let result = edited(before, |path| {
                let why = set(path, key, text).unwrap_err();
                assert!(why.contains(want), "{why}");
            });
            assert_eq!(result, before);
        };
        same("a = 1\n", "soon", "such as 500ms");
        same("[log]\nnot toml\n", "5s", "line 2: not valid TOML");
        same("worker = 5\n", "5s", "worker is a value, not a table");
    }

    #[test]
    fn the_file_becomes_private_and_a_symlink_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let (real, link) = (dir.path().join("real.toml"), dir.path().join("config.toml"));
        fs::write(&real, "").unwrap();
        fs::set_permissions(&real, Permissions::from_mode(0o644)).unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        set(&link, find("worker.linger").unwrap(), "5s").unwrap();
        assert!(link.is_symlink());
        assert!(fs::read_to_string(&real).unwrap().contains("linger"));
        assert_eq!(fs::metadata(&real).unwrap().mode() & 0o777, 0o600);
    }
}
