//! What `memctl --version` says of its making: the commit, its date, the profile and the target.
//! Nothing of the machine or of the hour goes in, so that the same sources give the same binary.

use std::path::{Path, PathBuf};
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    // Sources without their repository may lie inside another one.
    let repository = root.join(".git").exists();
    let git = |args: &[&str]| if repository { git(root, args) } else { None };
    let commit = git(&["log", "-1", "--format=%h %cs", "--abbrev=12"]);
    say("MEMCTL_COMMIT", &commit.unwrap_or_else(|| "unknown commit".into()));
    say("MEMCTL_PROFILE", &profile());
    say("MEMCTL_TARGET", &variable("TARGET"));

    // Cargo runs us again at every build when a file we name is missing: where the branch is
    // packed its folder is named, in which the next commit puts it.
    let file = |name: &str| git(&["rev-parse", "--git-path", name]).map(|path| root.join(path));
    let branch = git(&["symbolic-ref", "-q", "HEAD"]).and_then(|branch| file(&branch));
    let branch = branch.map(|path| if path.exists() { path } else { parent(&path) });
    for path in [file("HEAD"), branch].into_iter().flatten().filter(|path| path.exists()) {
        println!("cargo::rerun-if-changed={}", path.display());
    }
}

fn say(name: &str, value: &str) {
    println!("cargo::rustc-env={name}={value}");
}

fn git(root: &Path, args: &[&str]) -> Option<String> {
    let output = Command::new("git").arg("-C").arg(root).args(args).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (output.status.success() && !text.is_empty()).then_some(text)
}

/// `PROFILE` knows only debug and release; the folder of the build is called as the profile is.
fn profile() -> String {
    let out = PathBuf::from(variable("OUT_DIR"));
    let folder = out.ancestors().nth(3).and_then(Path::file_name).and_then(|name| name.to_str());
    match folder {
        Some("debug") => "dev".into(),
        Some(name) => name.to_owned(),
        None => variable("PROFILE"),
    }
}

fn parent(path: &Path) -> PathBuf {
    path.parent().unwrap_or(path).to_owned()
}

#[expect(clippy::disallowed_methods, reason = "cargo speaks to a build script in no other way")]
fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_default()
}
