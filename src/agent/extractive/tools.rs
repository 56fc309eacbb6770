//! The programs people run: which of them check, install, deploy, fetch, read and write.
//!
//! What is not listed and not known to be a mere look counts as a check of its own, for its
//! failure may matter; nothing is concluded from its success.

use super::prose::fit;
use super::shell::Simple;

/// Programs that only look, or that say nothing by succeeding or failing.
const LOOKS: [&str; 72] = [
    "", "ls", "cat", "head", "tail", "pwd", "echo", "cd", "which", "wc", "find", "grep", "egrep",
    "fgrep", "rg", "ag", "fd", "tree", "stat", "file", "awk", "gawk", "sort", "uniq", "cut", "tr",
    "sleep", "ps", "kill", "pkill", "mkdir", "chmod", "chown", "touch", "export", "true", "false",
    "test", "[", "[[", "jq", "yq", "less", "more", "date", "whoami", "id", "du", "df", "man",
    "type", "printf", "env", "printenv", "hostname", "uname", "xargs", "tee", "diff", "cmp",
    "basename", "dirname", "realpath", "readlink", "seq", "for", "done", "fi", "set", "source",
    ".", "bd",
];

/// Verbs with which any tool only shows things: `docker ps`, `kubectl get`, `gh pr view`.
const LOOKING: [&str; 26] = [
    "status",
    "log",
    "diff",
    "show",
    "list",
    "ls",
    "ps",
    "get",
    "describe",
    "logs",
    "view",
    "info",
    "version",
    "help",
    "inspect",
    "search",
    "tree",
    "metadata",
    "whoami",
    "config",
    "images",
    "outdated",
    "which",
    "blame",
    "rev-parse",
    "explain",
];

/// Something that passes or fails.
#[derive(Clone, Debug, PartialEq)]
pub struct Check {
    /// What must pass for a failure of it to be over: `cargo test`, `terraform apply`.
    pub key: String,
    pub kind: CheckKind,
    /// The toolchain, for a test that passes proves that its code compiles.
    pub chain: String,
    pub words: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckKind {
    Test,
    Build,
    Lint,
    /// Any other command that matters: a script, a deployment.
    Other,
}

/// The check a command is, if it is one.
pub fn check(part: &Simple) -> Option<Check> {
    let (program, verb) = (part.program(), part.verb());
    if LOOKS.contains(&program) || part.has("--version") || part.has("--help") {
        return None;
    }
    let (kind, chain, name) = kind(part, program, verb)?;
    let words = part.args().skip(1).map(str::to_owned).collect();
    Some(Check { key: name, kind, chain: chain.to_owned(), words })
}

fn kind<'a>(part: &Simple, program: &'a str, verb: &str) -> Option<(CheckKind, &'a str, String)> {
    use CheckKind::{Build, Lint, Other, Test};
    let two = format!("{program} {verb}");
    let found = match (program, verb) {
        ("cargo", "test" | "nextest" | "t") => (Test, program, "cargo test".to_owned()),
        ("cargo", "build" | "check" | "b" | "c" | "rustc" | "doc") => (Build, program, two),
        ("cargo", "clippy" | "fmt" | "deny" | "audit") => (Lint, program, two),
        ("mix", "test") => (Test, program, two),
        ("mix", "compile") => (Build, program, two),
        ("mix", "format" | "credo" | "dialyzer") => (Lint, program, two),
        ("go", "test") => (Test, program, two),
        ("go", "build" | "install") => (Build, program, "go build".to_owned()),
        ("go", "vet" | "fmt") => (Lint, program, two),
        ("pytest" | "py.test" | "tox" | "nox" | "unittest", _) => {
            (Test, "python", program.to_owned())
        }
        ("ruff" | "mypy" | "pyright" | "flake8" | "black" | "pylint" | "isort", _) => {
            (Lint, "python", program.to_owned())
        }
        ("jest" | "vitest" | "mocha" | "ava" | "playwright" | "cypress" | "karma", _) => {
            (Test, "node", program.to_owned())
        }
        ("eslint" | "prettier" | "biome" | "stylelint" | "tsc" | "oxlint", _) => {
            (if program == "tsc" { Build } else { Lint }, "node", program.to_owned())
        }
        ("node", _) if part.has("--test") => (Test, "node", "node --test".to_owned()),
        ("npm" | "pnpm" | "yarn" | "bun" | "deno", _) => node_script(part, program, verb)?,
        ("rspec" | "minitest", _) | ("rails", "test" | "spec") | ("rake", "test" | "spec") => {
            (Test, "ruby", program.to_owned())
        }
        ("rubocop" | "standardrb", _) => (Lint, "ruby", program.to_owned()),
        ("phpunit" | "pest" | "paratest", _) | ("artisan", "test") => {
            (Test, "php", program.to_owned())
        }
        ("ctest", _) => (Test, "cmake", program.to_owned()),
        ("cmake" | "ninja", _) => (Build, "cmake", program.to_owned()),
        ("make" | "just" | "task", _) => (
            if verb.contains("test") {
                Test
            } else if verb.contains("lint") {
                Lint
            } else {
                Build
            },
            program,
            two.trim().to_owned(),
        ),
        ("mvn" | "mvnw" | "gradle" | "gradlew", _) => (
            if part.words.iter().any(|w| w.contains("test") || w == "verify" || w == "check") {
                Test
            } else {
                Build
            },
            "java",
            program.to_owned(),
        ),
        (
            "dotnet" | "swift" | "zig" | "flutter" | "dart" | "sbt" | "lein" | "stack" | "cabal",
            "test",
        ) => (Test, program, two),
        (
            "dotnet" | "swift" | "zig" | "flutter" | "sbt" | "stack" | "cabal",
            "build" | "compile",
        ) => (Build, program, two),
        ("gcc" | "g++" | "clang" | "clang++" | "rustc" | "javac", _) => {
            (Build, program, program.to_owned())
        }
        (
            "shellcheck" | "hadolint" | "tflint" | "yamllint" | "markdownlint" | "ansible-lint"
            | "actionlint",
            _,
        ) => (Lint, program, program.to_owned()),
        ("terraform" | "tofu", "validate" | "fmt" | "plan") | ("helm", "lint" | "template") => {
            (Lint, program, two)
        }
        ("git", "commit" | "push" | "merge" | "rebase" | "cherry-pick" | "pull") => {
            (Other, "git", two)
        }
        ("git" | "rm" | "cp" | "mv" | "sed" | "perl" | "tar" | "unzip" | "brew", _) => return None,
        (_, v) if LOOKING.contains(&v) => return None,
        _ => (Other, program, fit(two.trim(), 80)),
    };
    Some(found)
}

/// `npm test`, `pnpm run build`, `yarn lint`.
fn node_script<'a>(
    part: &Simple,
    program: &'a str,
    verb: &str,
) -> Option<(CheckKind, &'a str, String)> {
    let script =
        if matches!(verb, "run" | "run-script") { part.args().nth(1).unwrap_or("") } else { verb };
    let kind = if script.contains("test") || matches!(script, "t" | "e2e" | "vitest" | "jest") {
        CheckKind::Test
    } else if ["lint", "format", "fmt", "prettier"].iter().any(|w| script.contains(w)) {
        CheckKind::Lint
    } else if ["build", "compile", "typecheck", "tsc", "check", "types"]
        .iter()
        .any(|w| script.contains(w))
    {
        CheckKind::Build
    } else if matches!(script, "dev" | "start" | "ls" | "view" | "outdated" | "info" | "") {
        return None;
    } else {
        CheckKind::Other
    };
    let chain = if matches!(program, "deno" | "bun") { program } else { "node" };
    let run = if verb == script { "" } else { "run " };
    Some((kind, chain, format!("{program} {run}{script}")))
}

/// What a command that succeeded did to the world, as a fact.
pub fn deed(part: &Simple, output: &str) -> Option<String> {
    let (program, verb) = (part.program(), part.verb());
    if let Some(names) = installed(part) {
        return Some(format!(
            "Installed {names} ({})",
            if program == "pip3" { "pip" } else { program }
        ));
    }
    let line = |wanted: &[&str]| {
        output
            .lines()
            .map(str::trim)
            .find(|l| wanted.iter().any(|w| l.contains(w)))
            .map(|l| fit(l, 140))
    };
    match (program, verb) {
        ("git", "push") if !part.has("--dry-run") => Some(pushed(output)),
        ("git", "tag") => {
            let name = part.args().nth(1)?;
            (!part.has("-l") && !part.has("-d") && !part.has("--list"))
                .then(|| format!("Tagged {name}"))
        }
        ("gh", "pr" | "issue" | "release") => {
            let what = part.args().nth(1)?;
            if !matches!(what, "create" | "merge" | "close" | "comment" | "edit" | "reopen") {
                return None;
            }
            let link = output.split_whitespace().find(|w| w.starts_with("https://")).unwrap_or("");
            Some(format!("gh {verb} {what} {link}").trim().to_owned())
        }
        ("terraform" | "tofu", "apply" | "destroy") => {
            line(&["Apply complete!", "Destroy complete!"])
        }
        ("kubectl" | "oc", "apply" | "create" | "delete" | "rollout" | "scale" | "patch") => {
            line(&[
                " configured",
                " created",
                " deleted",
                "successfully rolled out",
                " scaled",
                " patched",
            ])
        }
        ("helm", "install" | "upgrade") => line(&["STATUS: "])
            .map(|s| format!("helm {verb} {}: {s}", part.args().nth(1).unwrap_or(""))),
        ("docker" | "podman", "build" | "buildx") => {
            let tag = part.option("-t").or_else(|| part.option("--tag"))?;
            Some(format!("Built image {tag}"))
        }
        ("docker" | "podman", "push") => Some(format!("Pushed image {}", part.args().nth(1)?)),
        ("npm" | "pnpm" | "yarn" | "cargo", "publish") if !part.has("--dry-run") => {
            Some(format!("Published with {program}"))
        }
        ("ansible-playbook", _) => {
            line(&["failed="]).map(|recap| format!("ansible-playbook {verb}: {recap}"))
        }
        ("alembic", "upgrade" | "downgrade")
        | ("rails" | "rake", "db:migrate")
        | ("mix", "ecto.migrate")
        | ("manage.py", "migrate") => Some(format!("Ran migrations ({program} {verb})")),
        ("bd", "close") => line(&["Closed "]).map(|l| {
            let said = l.trim_start_matches(|c: char| !c.is_alphanumeric());
            said.trim_end_matches(": Closed").to_owned()
        }),
        _ => None,
    }
}

fn pushed(output: &str) -> String {
    let arrow = output.lines().find_map(|l| {
        let (from, to) = l.split_once(" -> ")?;
        Some((from.split_whitespace().last()?.to_owned(), to.split_whitespace().next()?.to_owned()))
    });
    let remote = output.lines().find_map(|l| l.trim().strip_prefix("To "));
    match (arrow, remote) {
        (Some((_, branch)), Some(remote)) => format!("Pushed {branch} to {remote}"),
        (Some((_, branch)), None) => format!("Pushed {branch}"),
        _ => "Pushed".to_owned(),
    }
}

/// The packages a command added by name.
fn installed(part: &Simple) -> Option<String> {
    let (program, verb) = (part.program(), part.verb());
    let adds = match program {
        "cargo" | "uv" | "poetry" | "pdm" | "bundle" | "rye" => matches!(verb, "add" | "install"),
        "npm" | "pnpm" | "yarn" | "bun" => matches!(verb, "add" | "i" | "install"),
        "pip" | "pip3" | "gem" | "brew" | "apt" | "apt-get" | "dnf" | "apk" | "pipx" | "conda" => {
            matches!(verb, "install" | "add")
        }
        "go" => verb == "get",
        "composer" => verb == "require",
        _ => false,
    };
    if !adds || part.has("-r") || part.has("-e") || part.has("--requirement") {
        return None;
    }
    let names: Vec<&str> =
        part.args().skip(1).filter(|a| !matches!(*a, "install" | ".")).take(8).collect();
    (!names.is_empty()).then(|| names.join(", "))
}

/// The address a command fetches; a server on this machine is not the web.
pub fn fetches(part: &Simple) -> Option<String> {
    if part.program() == "gh" {
        return from_a_forge(part);
    }
    if !matches!(
        part.program(),
        "curl" | "wget" | "http" | "https" | "httpie" | "xh" | "lynx" | "w3m" | "links" | "aria2c"
    ) {
        return None;
    }
    // Only whether it answers is asked.
    if part.args().any(|a| matches!(a, "/dev/null" | "-I" | "--head" | "--spider")) {
        return None;
    }
    let addresses: Vec<&str> = part
        .args()
        .filter(|a| {
            a.contains("://")
                || a.starts_with("localhost")
                || a.starts_with("127.")
                || (a.contains('.') && !a.contains(' ') && !a.starts_with(['/', '.', '@']))
        })
        .collect();
    let local = |a: &&str| is_local(a);
    if !addresses.is_empty() && addresses.iter().all(local) {
        return None;
    }
    Some(
        addresses
            .iter()
            .find(|a| !local(a))
            .map_or_else(|| part.program().to_owned(), |a| (*a).to_owned()),
    )
}

/// Whether an address is this machine's own.
pub fn is_local(address: &str) -> bool {
    let host = address.split("://").last().unwrap_or(address);
    ["localhost", "127.", "0.0.0.0", "[::1]", "host.docker.internal"]
        .iter()
        .any(|l| host.starts_with(l))
}

/// What anybody may have written on a forge: issues, reviews, whatever its API is asked for.
fn from_a_forge(part: &Simple) -> Option<String> {
    let (what, how) = (part.verb(), part.args().nth(1).unwrap_or_default());
    let fetched = match what {
        "api" | "search" => true,
        "issue" | "pr" | "release" | "gist" | "discussion" => {
            matches!(how, "view" | "list" | "diff" | "status")
        }
        _ => false,
    };
    fetched.then(|| format!("gh {what} {how}").trim().to_owned())
}

/// Files shown by `cat`, `head`, `tail`, `sed -n`.
pub fn reads(part: &Simple) -> Vec<String> {
    let skip = match part.program() {
        "cat" | "head" | "tail" | "less" | "bat" => 0,
        "sed" if part.has("-n") => 1,
        _ => return Vec::new(),
    };
    part.args().skip(skip).filter(|a| is_path(a)).map(str::to_owned).collect()
}

/// Files a command wrote into, changed in place or moved to.
pub fn writes(part: &Simple) -> Vec<String> {
    let mut out: Vec<String> = part.written.iter().filter(|w| is_path(w)).cloned().collect();
    let in_place = |w: &String| w.starts_with("-i") || w.starts_with("-pi") || w == "--in-place";
    match part.program() {
        "tee" => out.extend(part.args().filter(|a| is_path(a)).map(str::to_owned)),
        "sed" | "perl" | "gsed" if part.words.iter().any(in_place) => {
            out.extend(part.args().skip(1).filter(|a| is_path(a)).map(str::to_owned));
        }
        "mv" | "cp" => out.extend(part.args().last().filter(|a| is_path(a)).map(str::to_owned)),
        "git" if part.verb() == "mv" => {
            out.extend(part.args().last().filter(|a| is_path(a)).map(str::to_owned))
        }
        _ => {}
    }
    out
}

pub fn removes(part: &Simple) -> Vec<String> {
    let skip = match part.program() {
        "rm" => 0,
        "git" if part.verb() == "rm" => 1,
        _ => return Vec::new(),
    };
    part.args().skip(skip).filter(|a| is_path(a)).map(str::to_owned).collect()
}

/// Files that git put back: `git checkout -- a.rs`, `git restore .`, `git reset --hard`.
pub fn reverts(part: &Simple) -> Vec<String> {
    if part.program() != "git" {
        return Vec::new();
    }
    match part.verb() {
        "reset" if part.has("--hard") => vec![".".to_owned()],
        "restore" if !part.has("--staged") => part.args().skip(1).map(str::to_owned).collect(),
        "checkout" => {
            let at = part.words.iter().position(|w| w == "--");
            at.map_or_else(Vec::new, |at| part.words[at + 1..].to_vec())
        }
        _ => Vec::new(),
    }
}

/// Something like a file of the project, with a name worth keeping.
fn is_path(word: &str) -> bool {
    let plain = !word.contains(|c: char| c.is_whitespace() || "*?${}<>|\"'`=,;:()[]!".contains(c));
    let named = word.contains('.') || word.contains('/');
    plain
        && named
        && word.len() > 1
        && !word.starts_with("/dev/")
        && !word.starts_with("/tmp/")
        && !word.ends_with('/')
        && !word.starts_with("/proc/")
        && !word.starts_with("/var/")
        && !word.bytes().all(|b| b.is_ascii_digit() || b == b'.')
}
