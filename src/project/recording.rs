//! Decides whether a session is recorded, and if not, why. Hooks, workers and commands all ask here.
//!
//! A session that is not recorded leaves no trace, and receives no context either.

use std::fmt;
use std::path::{Path, PathBuf};

use super::pause::{Pause, Pauses};
use super::{dir_of, identify, naming_dir, repository, resolve};
use crate::clock;
use crate::config::{OffSwitch, Recording};

/// The file that marks a project as recorded (`capture.mode = "marked"`).
pub const MARKER: &str = ".memctl";

/// Why a session is not recorded.
#[derive(Clone, Debug, PartialEq)]
pub enum NotRecorded {
    /// The environment switches recording off.
    Switch(OffSwitch),
    /// The rules are not known completely. The text says why.
    Fault(String),
    /// `memctl pause`. The time is that of its end.
    Paused(Option<i64>),
    /// `memctl pause --project`.
    ProjectPaused { project: String, until: Option<i64> },
    /// A pattern of `exclude` matches.
    Excluded(String),
    /// `capture.mode` is `marked` and the project at this root is not.
    Unmarked(PathBuf),
}

impl NotRecorded {
    /// The name in JSON output.
    pub fn name(&self) -> &'static str {
        match self {
            NotRecorded::Switch(_) => "disabled",
            NotRecorded::Fault(_) => "fault",
            NotRecorded::Paused(_) | NotRecorded::ProjectPaused { .. } => "paused",
            NotRecorded::Excluded(_) => "excluded",
            NotRecorded::Unmarked(_) => "unmarked",
        }
    }

    /// What the user can do.
    pub fn fix(&self) -> String {
        match self {
            NotRecorded::Switch(switch) => format!("unset {}", switch.variable()),
            NotRecorded::Fault(_) => "correct this to record sessions again".into(),
            NotRecorded::Paused(_) => "run `memctl unpause` to record again".into(),
            NotRecorded::ProjectPaused { .. } => {
                "run `memctl unpause --project` in this project to record it again".into()
            }
            NotRecorded::Excluded(_) => "`memctl config get exclude` lists what is excluded".into(),
            NotRecorded::Unmarked(root) => format!(
                "create {}, or add the project to capture.allow",
                root.join(MARKER).display()
            ),
        }
    }

    /// Whether each session start reports it. The user chose the other reasons for this project, or in
    /// this terminal.
    pub fn is_reported_at_start(&self) -> bool {
        match self {
            NotRecorded::Fault(_) | NotRecorded::Paused(_) | NotRecorded::ProjectPaused { .. } => {
                true
            }
            NotRecorded::Switch(_) | NotRecorded::Excluded(_) | NotRecorded::Unmarked(_) => false,
        }
    }

    /// Whether it applies to every project.
    pub fn is_global(&self) -> bool {
        matches!(self, NotRecorded::Switch(_) | NotRecorded::Fault(_) | NotRecorded::Paused(_))
    }
}

impl fmt::Display for NotRecorded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NotRecorded::Switch(switch) => {
                write!(f, "recording is switched off by {} in the environment", switch.variable())
            }
            NotRecorded::Fault(why) => write!(f, "nothing is recorded: {why}"),
            NotRecorded::Paused(until) => write!(f, "recording is paused{}", Left(*until)),
            NotRecorded::ProjectPaused { project, until } => {
                write!(f, "recording of project {project} is paused{}", Left(*until))
            }
            NotRecorded::Excluded(pattern) => {
                write!(f, "exclude contains {pattern}, which matches this project")
            }
            NotRecorded::Unmarked(_) => {
                write!(f, "capture.mode is marked, and this project has no {MARKER} file")
            }
        }
    }
}

/// How long a pause lasts: ` for another 2h 5min`.
struct Left(Option<i64>);

impl fmt::Display for Left {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(until) = self.0 else { return Ok(()) };
        let left = u64::try_from(until - clock::now_ms()).unwrap_or(0);
        let minutes = left.div_ceil(60_000);
        match (minutes / 60, minutes % 60) {
            (0, minutes) => write!(f, " for another {minutes}min"),
            (hours, 0) => write!(f, " for another {hours}h"),
            (hours, minutes) => write!(f, " for another {hours}h {minutes}min"),
        }
    }
}

/// Why a session is not recorded. `None`: it is recorded. All of memctl asks this function.
///
/// The first of `dirs` is the directory of the project. The others are working directories in which the
/// user may not want anything to be recorded either. Without any, only the reasons for all projects
/// apply, and `capture.mode`.
pub fn not_recorded(dirs: &[&Path], rules: &Recording) -> Option<NotRecorded> {
    if let Some(switch) = rules.switch {
        return Some(NotRecorded::Switch(switch));
    }
    if let Some(why) = &rules.fault {
        return Some(NotRecorded::Fault(why.clone()));
    }
    let pauses = match rules.pauses.as_deref().map(Pauses::read) {
        Some(Ok(pauses)) => pauses,
        Some(Err(why)) => return Some(NotRecorded::Fault(why)),
        None => Pauses::default(),
    };
    let now = clock::now_ms();
    if let Some(Pause { until, .. }) = pauses.everything(now) {
        return Some(NotRecorded::Paused(*until));
    }
    for dir in dirs {
        if let Some(pattern) = exclusion(dir, rules) {
            return Some(NotRecorded::Excluded(pattern.as_str().to_owned()));
        }
        if pauses.has_projects()
            && let Some(Pause { until, name, .. }) = pauses.of_project(&identify(dir), now)
        {
            return Some(NotRecorded::ProjectPaused { project: name.clone(), until: *until });
        }
    }
    let Some(dir) = dirs.first() else {
        return rules.only_marked.then(|| NotRecorded::Unmarked(PathBuf::new()));
    };
    if rules.only_marked && !is_marked(dir) && matching(dir, &rules.allow, &rules.homes).is_none() {
        return Some(NotRecorded::Unmarked(dir_of(dir).path));
    }
    None
}

/// Whether the project of a session matters, and not only the reasons for all projects.
pub fn depends_on_project(rules: &Recording) -> bool {
    let has_pauses = || rules.pauses.as_deref().is_some_and(Path::exists);
    !rules.exclude.is_empty() || rules.only_marked || has_pauses()
}

/// The pattern of `exclude` that matches a directory.
///
/// A pattern with a slash is compared with the path of `dir` and of its parents, where `~` is the
/// home directory. Any other pattern is compared with the name of `dir` and with those of its
/// parents inside its repository.
pub fn exclusion<'a>(dir: &Path, rules: &'a Recording) -> Option<&'a glob::Pattern> {
    matching(dir, &rules.exclude, &rules.homes)
}

/// Whether the project of `dir` has a marker file: in the root of its work tree or of the main one, or
/// outside of a repository in the directory itself or in one of its parents.
fn is_marked(dir: &Path) -> bool {
    let dir = resolve(dir);
    let is_marked = |dir: &Path| dir.join(MARKER).is_file();
    let Some(repository) = repository(&dir) else { return dir.ancestors().any(is_marked) };
    let root = &repository.root;
    is_marked(root) || is_marked(naming_dir(root, &resolve(&repository.common_dir())))
}

fn matching<'a>(
    dir: &Path,
    patterns: &'a [glob::Pattern],
    homes: &[PathBuf],
) -> Option<&'a glob::Pattern> {
    if patterns.is_empty() {
        return None;
    }
    let resolved = resolve(dir);
    let root = repository(&resolved).map_or_else(|| resolved.clone(), |r| r.root);
    let matches = |pattern: &glob::Pattern| {
        [dir, &resolved].iter().any(|dir| {
            dir.ancestors().any(|parent| {
                let in_repository = *parent == **dir || parent.starts_with(&root);
                matches_dir(pattern, parent, in_repository, homes)
            })
        })
    };
    patterns.iter().find(|pattern| matches(pattern)).or_else(|| {
        // The pattern may name a symbolic link, and `dir` the place that it leads to.
        patterns.iter().find(|pattern| with_links_resolved(pattern, homes).iter().any(matches))
    })
}

fn matches_dir(
    pattern: &glob::Pattern,
    dir: &Path,
    in_repository: bool,
    homes: &[PathBuf],
) -> bool {
    if !pattern.as_str().contains('/') {
        let name = dir.file_name().unwrap_or_default();
        return in_repository && pattern.matches(&name.to_string_lossy());
    }
    let below_homes = homes.iter().filter_map(|home| dir.strip_prefix(home).ok());
    let with_tilde = below_homes.map(|rest| Path::new("~").join(rest));
    std::iter::once(dir.to_owned()).chain(with_tilde).any(|path| {
        let text = path.to_string_lossy();
        pattern.matches(&text) || pattern.matches(&format!("{text}/"))
    })
}

/// The pattern with the symbolic links in its fixed part resolved, for each meaning of `~`.
fn with_links_resolved(pattern: &glob::Pattern, homes: &[PathBuf]) -> Vec<glob::Pattern> {
    let text = pattern.as_str();
    let paths: Vec<String> = match text.strip_prefix("~/") {
        Some(rest) => homes.iter().map(|home| format!("{}/{rest}", home.display())).collect(),
        None => vec![text.to_owned()],
    };
    paths.iter().filter(|path| path.starts_with('/')).filter_map(|path| resolved(path)).collect()
}

fn resolved(pattern: &str) -> Option<glob::Pattern> {
    let fixed = pattern.find(['*', '?', '[']).map_or(pattern, |at| &pattern[..at]);
    // Only whole components can be resolved.
    let ends = pattern.len() == fixed.len();
    let fixed = if ends { fixed } else { &fixed[..=fixed.rfind('/')?] };
    let real = resolve(Path::new(fixed));
    let real = glob::Pattern::escape(real.to_str()?.trim_end_matches('/'));
    let rest = &pattern[fixed.len()..];
    let slash = if rest.is_empty() { "" } else { "/" };
    glob::Pattern::new(&format!("{real}{slash}{rest}")).ok()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::super::tests::World;
    use super::*;

    fn rules(world: &World, exclude: &[&str]) -> Recording {
        let base = world.path("");
        let base = base.to_str().unwrap().trim_end_matches('/');
        let pattern = |text: &&str| glob::Pattern::new(&text.replace("{}", base)).unwrap();
        Recording {
            exclude: exclude.iter().map(pattern).collect(),
            homes: vec![world.path("")],
            ..Recording::default()
        }
    }

    #[test]
    fn patterns_exclude_directories_by_path_and_by_name() {
        let world = World::new();
        world.repository("work/secret/.git", None);
        fs::create_dir_all(world.path("work/secret/src")).unwrap();
        symlink(world.path("work/secret"), world.path("link")).unwrap();
        symlink(world.path("work"), world.path("[w]")).unwrap();
        let check = |dir: &str, pattern: &str, recorded: bool| {
            let rules = rules(&world, &["/unused/*", pattern]);
            let found = exclusion(&world.path(dir), &rules);
            assert_eq!(found.is_none(), recorded, "{dir} {pattern}");
        };
        check("work/secret", "{}/work/secret", false);
        check("work/secret/src", "{}/work/secret", false);
        check("work/secret/src", "{}/work/*", false);
        check("work/secret", "~/work/secret", false);
        check("work/secret", "~/work/**", false);
        check("link/src", "~/work/*", false);
        check("work/secret/src", "secret", false);
        check("work/secret/src", "sec*", false);
        // The pattern names a link.
        check("work/secret/src", "{}/link", false);
        check("work/secret/src", "~/link", false);
        check("work/secret", "{}/link/", false);
        check("work/secret", "~/[[]w]/s*", true);
        check("work/secret", "{}/lin*", true);
        // A name above the repository does not count.
        check("work/secret/src", "work", true);
        check("work/secret", "{}/work/secrets", true);
        check("work", "secret", true);
        assert_eq!(not_recorded(&[Path::new("/anything")], &Recording::default()), None);
    }

    #[test]
    fn only_marked_and_allowed_projects_are_recorded_in_marked_mode() {
        let world = World::new();
        world.repository("repo/.git", None);
        for dir in ["repo/src", "notes/sub", "allowed", "home"] {
            fs::create_dir_all(world.path(dir)).unwrap();
        }
        let rules = Recording {
            only_marked: true,
            allow: vec![glob::Pattern::new("allowed").unwrap()],
            ..Recording::default()
        };
        let check = |dir: &str, recorded: bool| {
            let found = not_recorded(&[&world.path(dir)], &rules);
            assert_eq!(found.is_none(), recorded, "{dir}: {found:?}");
        };
        check("repo/src", false);
        check("notes/sub", false);
        check("allowed", true);
        // A marker in a subdirectory does not mark the repository, and a directory is no marker.
        fs::write(world.path("repo/src").join(MARKER), "").unwrap();
        fs::create_dir(world.path("notes").join(MARKER)).unwrap();
        check("repo/src", false);
        check("notes/sub", false);
        fs::write(world.path("repo").join(MARKER), "").unwrap();
        check("repo/src", true);
        fs::remove_dir(world.path("notes").join(MARKER)).unwrap();
        fs::write(world.path("notes").join(MARKER), "").unwrap();
        check("notes/sub", true);
        assert!(not_recorded(&[], &rules).is_some());
        let excluded = Recording { exclude: rules.allow.clone(), ..rules };
        let allowed = world.path("allowed");
        let found = not_recorded(&[&allowed], &excluded);
        assert_eq!(found, Some(NotRecorded::Excluded("allowed".into())));
        // A working directory can be excluded, but need not be marked.
        let (repo, home) = (world.path("repo"), world.path("home"));
        assert_eq!(not_recorded(&[&repo, &home], &excluded), None);
        assert!(not_recorded(&[&repo, &allowed], &excluded).is_some());
    }
}
