//! Sets the build information in `memctl --version`: commit, commit date, profile and target. It
//! contains nothing about the machine or the time, so builds are reproducible. Also puts the functions
//! that hooks run side by side in the shipped binary for Linux.

use std::path::{Path, PathBuf};
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    // Without its own .git directory the source tree may be inside another repository.
    let repository = root.join(".git").exists();
    let git = |args: &[&str]| if repository { git(root, args) } else { None };
    let commit = git(&["log", "-1", "--format=%h %cs", "--abbrev=12"]);
    set("MEMCTL_COMMIT", &commit.unwrap_or_else(|| "unknown commit".into()));
    set("MEMCTL_PROFILE", &profile());
    set("MEMCTL_TARGET", &variable("TARGET"));
    if profile() == "dist" && variable("CARGO_CFG_TARGET_OS") == "linux" {
        let script = root.join("linker/hooks.ld");
        println!("cargo::rustc-link-arg-bin=memctl=-Wl,-T,{}", script.display());
        println!("cargo::rerun-if-changed={}", script.display());
    }

    // Cargo reruns the script on every build if a watched file is missing. If the branch's ref is
    // packed, watch its directory, where the next commit creates the ref.
    let file = |name: &str| git(&["rev-parse", "--git-path", name]).map(|path| root.join(path));
    let branch = git(&["symbolic-ref", "-q", "HEAD"]).and_then(|branch| file(&branch));
    let branch = branch.map(|path| if path.exists() { path } else { parent(&path) });
    for path in [file("HEAD"), branch].into_iter().flatten().filter(|path| path.exists()) {
        println!("cargo::rerun-if-changed={}", path.display());
    }
}

fn set(name: &str, value: &str) {
    println!("cargo::rustc-env={name}={value}");
}

fn git(root: &Path, args: &[&str]) -> Option<String> {
    let output = Command::new("git").arg("-C").arg(root).args(args).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (output.status.success() && !text.is_empty()).then_some(text)
}

/// The profile, from the name of the build directory. `PROFILE` is only debug or release.
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

#[expect(
    clippy::disallowed_methods,
    reason = "cargo passes values to a build script in the environment"
)]
fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_default()
}
