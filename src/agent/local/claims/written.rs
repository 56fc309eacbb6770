//! The files that a message tells as written, and those that were.

use super::super::marks::{Mark, Marked};
use crate::memory::{EffectKind, Evidence, Turn};
use crate::text::codes;

/// Maximum paths of a sentence.
const MAX_PATHS: usize = 8;

/// The paths that a sentence claims to have written; in a list of files, all.
pub fn claimed<'a>(marked: &Marked<'a>, files: bool) -> Vec<&'a str> {
    if !files && !marked.has(Mark::Wrote) || marked.has(Mark::Negated) {
        return Vec::new();
    }
    let clauses = marked.text.split(';').take(MAX_PATHS);
    let wrote = |clause: &&str| files || Marked::read(clause).has(Mark::Wrote);
    clauses.filter(wrote).flat_map(written_paths).collect()
}

/// The paths of a clause, without those that something was only taken from.
fn written_paths(clause: &str) -> Vec<&str> {
    let mut rest = clause;
    let mut paths = Vec::new();
    for code in codes(clause).into_iter().take(MAX_PATHS) {
        let Some((before, after)) = rest.split_once(code) else { continue };
        rest = after;
        let before = Marked::read(before);
        let is_source = before.all(Mark::Source).any(|found| found.end == before.words.len());
        if !is_source {
            paths.extend(path(code));
        }
    }
    paths
}

/// The paths that were written in this turn or an earlier one.
pub struct Written<'a> {
    paths: Vec<&'a str>,
    /// Files were written that the tools do not name, or packages installed.
    unseen: bool,
    installed: bool,
}

impl<'a> Written<'a> {
    pub fn of(evidence: &'a Evidence, earlier: &'a [Turn]) -> Written<'a> {
        let all = || std::iter::once(evidence).chain(earlier.iter().map(|turn| &turn.evidence));
        let files = || all().flat_map(|evidence| &evidence.files);
        let moved = files().filter_map(|file| file.from.as_deref());
        let paths: Vec<&str> = files().map(|file| file.path.as_str()).chain(moved).collect();
        let committed = evidence.commits.iter().filter_map(|commit| {
            let stat = commit.stat.as_deref()?;
            stat.split(' ').next()?.parse::<usize>().ok()
        });
        let unseen = committed.max().is_some_and(|count| count > paths.len());
        let installed = all()
            .flat_map(|evidence| &evidence.effects)
            .any(|effect| matches!(effect.kind, EffectKind::Installed | EffectKind::Migrated));
        Written { paths, unseen, installed }
    }

    /// Whether the path was written, or whether that cannot be told.
    pub fn has(&self, path: &str) -> bool {
        const MANIFESTS: [&str; 8] = [
            "package.json",
            "Cargo.toml",
            "go.mod",
            "go.sum",
            "pyproject.toml",
            "requirements.txt",
            "Gemfile",
            "composer.json",
        ];
        let name = path.rsplit('/').next().unwrap_or(path);
        let is_lock = name.contains("lock") || name.ends_with(".sum");
        let by_install = self.installed && MANIFESTS.contains(&name);
        self.unseen || is_lock || by_install || self.paths.iter().any(|known| is_same(known, path))
    }
}

/// Whether one path ends with the other, or lies below it.
fn is_same(known: &str, path: &str) -> bool {
    let path = path.trim_end_matches('/');
    let ends = |long: &str, short: &str| {
        long.strip_suffix(short).is_some_and(|rest| rest.is_empty() || rest.ends_with('/'))
    };
    ends(known, path)
        || ends(path, known)
        || known.strip_prefix(path).is_some_and(|rest| rest.starts_with('/'))
        || known.contains(&format!("/{path}/"))
}

/// The path that a code span is, without the line number behind it.
fn path(code: &str) -> Option<&str> {
    const EXTENSIONS: &str = " rs py js ts tsx jsx mjs cjs go rb java kt kts swift c h cc cpp hpp cs php \
        ex exs erl hs ml scala clj lua sh bash zsh fish ps1 sql html css scss sass less vue svelte md mdx \
        txt rst toml yaml yml json jsonc xml ini cfg conf env tf nix gradle proto graphql prisma csv tsv \
        svg dart r jl zig nim pl ipynb lock ";
    const PRODUCTS: [&str; 8] =
        ["node.js", "next.js", "vue.js", "three.js", "d3.js", "nuxt.js", "express.js", "chart.js"];
    let path = code.trim_start_matches("./");
    let path = path.split(['#', ':']).next().unwrap_or_default();
    let name = path.rsplit('/').next()?;
    let extension = name.rsplit_once('.').map(|(_, extension)| extension)?;
    let plain = |c: char| c.is_alphanumeric() || "/._-+@~".contains(c);
    let fits = !extension.is_empty()
        && EXTENSIONS.contains(&format!(" {} ", extension.to_ascii_lowercase()))
        && path.chars().all(plain)
        && !PRODUCTS.contains(&path.to_lowercase().as_str());
    fits.then_some(path)
}
