//! Maps log files to sessions. The file name is a hash of the session id.

use std::collections::BTreeMap;

use crate::config::Settings;
use crate::ctl::{READ_TIMEOUT, lookup};
use crate::deliver::probe;
use crate::failure::{Result, failed};
use crate::lock;
use crate::paths::session_key;
use crate::store::{Reader, sessions};

/// Session ids by session key.
#[derive(Default)]
pub struct Names(BTreeMap<String, String>);

impl Names {
    /// Loads ids from the database and the lock files. An unreadable database is not an error, because
    /// logs are needed then; its sessions are shown by key.
    pub fn load(settings: &Settings) -> Names {
        let mut names = BTreeMap::new();
        for key in probe::keys(&settings.paths) {
            let holder = lock::read_holder(&settings.paths.session_lock(&key));
            if let Some(holder) = holder.filter(|h| !h.session.is_empty()) {
                names.insert(key, holder.session);
            }
        }
        if let Ok(Some(reader)) = Reader::open(&settings.paths, READ_TIMEOUT) {
            let all = sessions::Filter::default();
            for s in sessions::list(reader.connection(), all, i64::MAX as usize).unwrap_or_default()
            {
                names.insert(session_key(&s.client, &s.content_session_id), s.content_session_id);
            }
        }
        Names(names)
    }

    /// Reloads the ids if the key is unknown: its session may have just started.
    pub fn refresh(&mut self, settings: &Settings, key: &str) {
        if key.len() == 16 && !self.0.contains_key(key) {
            *self = Names::load(settings);
        }
    }

    pub fn session(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }

    /// The keys of the session with this id prefix. There are several if two clients use the same id.
    ///
    /// # Errors
    /// Exit code 1 if no session matches, 2 with the candidates if several do.
    pub fn keys(&self, prefix: &str) -> Result<Vec<String>> {
        let mut ids: Vec<&str> =
            self.0.values().map(String::as_str).filter(|id| id.starts_with(prefix)).collect();
        ids.sort_unstable();
        ids.dedup();
        let id = match ids[..] {
            [id] => id,
            _ if ids.contains(&prefix) => prefix,
            [] => {
                return Err(failed(format!("no session starts with '{prefix}'"))
                    .hint("`memctl status` lists the latest sessions of this project"));
            }
            _ => return Err(lookup::ambiguous(prefix, &ids)),
        };
        let of_session = |(key, session): (&String, &String)| (session == id).then(|| key.clone());
        Ok(self.0.iter().filter_map(of_session).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_must_be_unique() {
        let names = [("k1", "one-1"), ("k2", "one-2"), ("k3", "one-2"), ("k4", "one")];
        let names = Names(names.map(|(k, s)| (k.to_owned(), s.to_owned())).into());
        let check = |prefix, want: Option<&[&str]>| {
            let keys = names.keys(prefix).ok();
            let keys = keys.as_ref().map(|k| k.iter().map(String::as_str).collect::<Vec<_>>());
            assert_eq!(keys.as_deref(), want, "{prefix}");
        };
        check("one-1", Some(&["k1"]));
        check("one-2", Some(&["k2", "k3"]));
        check("one", Some(&["k4"]));
        check("on", None);
        check("two", None);
        assert_eq!(names.keys("on").unwrap_err().exit_code(), 2);
        assert_eq!(names.keys("two").unwrap_err().exit_code(), 1);
    }
}
