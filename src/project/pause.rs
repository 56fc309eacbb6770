//! The state of `memctl pause`: a file below the home directory. A hook tries to open it, and usually
//! there is none.

use std::io::{self, ErrorKind};
use std::path::Path;

use memctl_proto::event::Project;
use serde::{Deserialize, Serialize};

use super::place_key;
use crate::config::edit;
use crate::files;

/// What is paused.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Pauses {
    all: Option<Pause>,
    #[serde(default)]
    projects: Vec<Pause>,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Pause {
    /// The end in milliseconds since the epoch. `None`: until the user ends it.
    pub until: Option<i64>,
    /// The keys of the project. Empty if everything is paused.
    #[serde(default)]
    pub keys: Vec<String>,
    /// The name of the project.
    #[serde(default)]
    pub name: String,
}

impl Pause {
    fn is_over(&self, now: i64) -> bool {
        self.until.is_some_and(|until| until <= now)
    }
}

impl Pauses {
    /// # Errors
    /// A message if the file exists but cannot be read. The caller must not record then.
    pub fn read(file: &Path) -> Result<Pauses, String> {
        let fail = |why: &dyn std::fmt::Display| {
            format!("cannot read {}: {why}; `memctl unpause` removes it", file.display())
        };
        match files::read_regular(file) {
            Ok(text) => serde_json::from_str(&text).map_err(|e| fail(&e)),
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(Pauses::default()),
            Err(e) => Err(fail(&e)),
        }
    }

    /// Writes the file, or removes it if nothing is paused.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&self, file: &Path) -> io::Result<()> {
        if *self != Pauses::default() {
            let text = serde_json::to_string(self).map_err(io::Error::other)?;
            return edit::replace_file(file, format!("{text}\n").as_bytes());
        }
        match std::fs::remove_file(file) {
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(()),
            removed => removed,
        }
    }

    /// The pause of all projects.
    pub fn everything(&self, now: i64) -> Option<&Pause> {
        self.all.as_ref().filter(|pause| !pause.is_over(now))
    }

    pub fn has_projects(&self) -> bool {
        !self.projects.is_empty()
    }

    /// The pause of a project.
    pub fn of_project(&self, project: &Project, now: i64) -> Option<&Pause> {
        let keys = keys(project);
        let has = |pause: &&Pause| pause.keys.iter().any(|key| keys.contains(key));
        self.projects.iter().find(|pause| has(pause) && !pause.is_over(now))
    }

    /// Pauses a project, or everything. Replaces an earlier pause and drops those that are over.
    pub fn pause(&mut self, project: Option<&Project>, until: Option<i64>, now: i64) {
        self.unpause(project, now);
        match project {
            None => self.all = Some(Pause { until, ..Pause::default() }),
            Some(project) => {
                self.projects.push(Pause { until, keys: keys(project), name: project.name.clone() })
            }
        }
    }

    /// Ends the pause of a project, or that of everything. Returns whether there was one.
    pub fn unpause(&mut self, project: Option<&Project>, now: i64) -> bool {
        self.projects.retain(|pause| !pause.is_over(now));
        let Some(project) = project else {
            return self.all.take().is_some_and(|pause| !pause.is_over(now));
        };
        let (before, keys) = (self.projects.len(), keys(project));
        self.projects.retain(|pause| !pause.keys.iter().any(|key| keys.contains(key)));
        self.projects.len() < before
    }
}

impl Pauses {
    /// Extends the pauses that cover one of a project's keys to all of them. Returns whether one has changed.
    pub fn extend(&mut self, project: &[String], now: i64) -> bool {
        let mut is_changed = false;
        for pause in self.projects.iter_mut().filter(|pause| !pause.is_over(now)) {
            if !pause.keys.iter().any(|key| project.contains(key)) {
                continue;
            }
            let missing = project.iter().filter(|key| !pause.keys.contains(key));
            let missing: Vec<String> = missing.cloned().collect();
            is_changed |= !missing.is_empty();
            pause.keys.extend(missing);
        }
        is_changed
    }

    /// Gives these keys a pause of their own, if they share one with others. Returns whether they do.
    pub fn divide(&mut self, keys: &[String], name: &str, now: i64) -> bool {
        let mut divided = Vec::new();
        for pause in self.projects.iter_mut().filter(|pause| !pause.is_over(now)) {
            let (own, rest): (Vec<String>, Vec<String>) =
                pause.keys.iter().cloned().partition(|key| keys.contains(key));
            if own.is_empty() || rest.is_empty() {
                continue;
            }
            pause.keys = rest;
            divided.push(Pause { until: pause.until, keys: own, name: name.to_owned() });
        }
        let is_divided = !divided.is_empty();
        self.projects.extend(divided);
        is_divided
    }
}

/// The keys of a project, with that of its place: the directory may become a repository.
fn keys(project: &Project) -> Vec<String> {
    let place = place_key(&project.root).filter(|place| !project.keys.contains(place));
    project.keys.iter().cloned().chain(place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project(key: &str) -> Project {
        Project { keys: vec![key.into(), "dir:/x".into()], name: key.into(), root: "/x".into() }
    }

    #[test]
    fn pauses_end_by_time_or_by_the_user() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("state/paused.json");
        assert_eq!(Pauses::read(&file), Ok(Pauses::default()));
        let mut pauses = Pauses::default();
        pauses.pause(None, Some(1000), 0);
        pauses.pause(Some(&project("git:a")), None, 0);
        pauses.write(&file).unwrap();
        let mut pauses = Pauses::read(&file).unwrap();
        assert!(pauses.everything(999).is_some() && pauses.everything(1000).is_none());
        // A clone has another directory, and a repository without its origin another first key.
        for (keys, want) in [("git:a", true), ("dir:/x", true), ("git:b", false)] {
            let project = Project { keys: vec![keys.into()], ..Project::default() };
            assert_eq!(pauses.of_project(&project, 5000).is_some(), want, "{keys}");
        }
        assert!(!pauses.unpause(None, 2000), "it was over");
        assert!(pauses.unpause(Some(&project("git:a")), 2000));
        assert!(!pauses.unpause(Some(&project("git:a")), 2000));
        pauses.write(&file).unwrap();
        assert!(!file.exists());
    }

    #[test]
    fn a_file_that_cannot_be_read_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("paused.json");
        for text in ["", "{", "[]", "{\"all\": 5}"] {
            std::fs::write(&file, text).unwrap();
            assert!(Pauses::read(&file).unwrap_err().contains("memctl unpause"), "{text}");
        }
        std::fs::remove_file(&file).unwrap();
        std::fs::create_dir(&file).unwrap();
        assert!(Pauses::read(&file).is_err());
    }
}
