//! Maps log files to sessions. The file name is a hash of the session id.

use std::collections::BTreeMap;

use crate::config::Settings;
use crate::ctl::READ_TIMEOUT;
use crate::ctl::lookup::{self, Identity};
use crate::deliver::probe;
use crate::failure::{Result, failed};
use crate::lock;
use crate::paths::session_key;
use crate::store::{Reader, sessions};

/// Client and session id by session key.
#[derive(Default)]
pub struct Names(BTreeMap<String, (String, String)>);

impl Names {
    /// Loads ids from the database and the lock files. An unreadable database is not an error, because
    /// logs are needed then; its sessions are shown by key.
    pub fn load(settings: &Settings) -> Names {
        let mut names = BTreeMap::new();
        for key in probe::keys(&settings.paths) {
            let holder = lock::read_holder(&settings.paths.session_lock(&key));
            if let Some(holder) = holder.filter(|h| !h.session.is_empty()) {
                names.insert(key, (holder.client, holder.session));
            }
        }
        if let Ok(Some(reader)) = Reader::open(&settings.paths, READ_TIMEOUT) {
            let all = sessions::Filter::default();
            for s in sessions::list(reader.connection(), all, i64::MAX as usize).unwrap_or_default()
            {
                let key = session_key(&s.client, &s.content_session_id);
                names.insert(key, (s.client, s.content_session_id));
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
        self.0.get(key).map(|(_, session)| session.as_str())
    }

    /// What a line of the log with this key is labeled with.
    pub fn labels(&self) -> BTreeMap<&str, String> {
        let labels = lookup::labels(&self.identities());
        self.0.keys().map(String::as_str).zip(labels).collect()
    }

    /// The keys of the sessions that a name means. There are several if two clients use the same id.
    ///
    /// # Errors
    /// Exit code 1 if no session matches, 2 with the candidates if several do.
    pub fn keys(&self, name: &str) -> Result<Vec<String>> {
        let all = self.identities();
        let found = lookup::matching(&all, name);
        let identities: Vec<Identity> = found.iter().map(|n| all[*n]).collect();
        match identities[..] {
            [] => Err(failed(format!("no session starts with '{name}'"))
                .hint("`memctl list` prints the sessions of this project, `memctl list -a` all")),
            [first, ..] if identities.iter().any(|(_, id)| *id != first.1) => {
                Err(lookup::ambiguous(name, &identities))
            }
            _ => {
                let keys: Vec<&String> = self.0.keys().collect();
                Ok(found.into_iter().map(|n| keys[n].clone()).collect())
            }
        }
    }

    fn identities(&self) -> Vec<Identity<'_>> {
        self.0.values().map(|(client, session)| (client.as_str(), session.as_str())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_must_be_unique() {
        let names =
            [("k1", "c", "one-1"), ("k2", "c", "one-2"), ("k3", "d", "one-2"), ("k4", "c", "one")];
        let names = names.map(|(k, c, s)| (k.to_owned(), (c.to_owned(), s.to_owned())));
        let names = Names(names.into());
        let check = |prefix, want: Option<&[&str]>| {
            let keys = names.keys(prefix).ok();
            let keys = keys.as_ref().map(|k| k.iter().map(String::as_str).collect::<Vec<_>>());
            assert_eq!(keys.as_deref(), want, "{prefix}");
        };
        check("one-1", Some(&["k1"]));
        check("one-2", Some(&["k2", "k3"]));
        check("d:one-2", Some(&["k3"]));
        check("one", Some(&["k4"]));
        check("on", None);
        check("two", None);
        assert_eq!(names.keys("on").unwrap_err().exit_code(), 2);
        assert_eq!(names.keys("two").unwrap_err().exit_code(), 1);
    }
}
