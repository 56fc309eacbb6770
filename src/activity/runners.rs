//! The table of checks: test runners, builds and linters.
//!
//! A program that is in no table counts as a check too, because its failure may matter. Its success
//! means nothing.

use super::shell::SimpleCommand;
use super::shorten::fit;

/// Programs that only print something, or whose outcome means nothing.
const NO_CHECKS: [&str; 72] = [
    "", "ls", "cat", "head", "tail", "pwd", "echo", "cd", "which", "wc", "find", "grep", "egrep",
    "fgrep", "rg", "ag", "fd", "tree", "stat", "file", "awk", "gawk", "sort", "uniq", "cut", "tr",
    "sleep", "ps", "kill", "pkill", "mkdir", "chmod", "chown", "touch", "export", "true", "false",
    "test", "[", "[[", "jq", "yq", "less", "more", "date", "whoami", "id", "du", "df", "man",
    "type", "printf", "env", "printenv", "hostname", "uname", "xargs", "tee", "diff", "cmp",
    "basename", "dirname", "realpath", "readlink", "seq", "for", "done", "fi", "set", "source",
    ".", "bd",
];

/// Subcommands with which a program only prints something: `docker ps`, `kubectl get`, `helm list`.
const READ_ONLY_VERBS: [&str; 26] = [
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

/// A command that passes or fails.
#[derive(Clone, Debug, PartialEq)]
pub struct Check {
    /// Runner and task: `cargo test`, `terraform apply`. A pass of a check with the same key ends a
    /// failure.
    pub key: String,
    pub kind: CheckKind,
    /// `cargo`, `node`. A passing test run implies that a build with the same toolchain passes.
    pub toolchain: String,
    /// The arguments after the task, without flags: filters, packages, files.
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

/// The check that a command runs, if it is one.
pub fn check(command: &SimpleCommand) -> Option<Check> {
    let (program, verb) = (command.program(), command.verb());
    if NO_CHECKS.contains(&program) || command.has("--version") || command.has("--help") {
        return None;
    }
    let (kind, toolchain, key) = kind(command, program, verb)?;
    let words = command.args().skip(1).map(str::to_owned).collect();
    Some(Check { key, kind, toolchain: toolchain.to_owned(), words })
}

fn kind<'a>(
    command: &SimpleCommand,
    program: &'a str,
    verb: &str,
) -> Option<(CheckKind, &'a str, String)> {
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
        ("node", _) if command.has("--test") => (Test, "node", "node --test".to_owned()),
        ("npm" | "pnpm" | "yarn" | "bun" | "deno", _) => node_script(command, program, verb)?,
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
            if command.words.iter().any(|w| w.contains("test") || w == "verify" || w == "check") {
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
        (_, v) if READ_ONLY_VERBS.contains(&v) => return None,
        _ => (Other, program, fit(two.trim(), 80)),
    };
    Some(found)
}

/// A script of package.json: `npm test`, `pnpm run build`, `yarn lint`.
fn node_script<'a>(
    command: &SimpleCommand,
    program: &'a str,
    verb: &str,
) -> Option<(CheckKind, &'a str, String)> {
    let script = if matches!(verb, "run" | "run-script") {
        command.args().nth(1).unwrap_or("")
    } else {
        verb
    };
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
    let toolchain = if matches!(program, "deno" | "bun") { program } else { "node" };
    let run = if verb == script { "" } else { "run " };
    Some((kind, toolchain, format!("{program} {run}{script}")))
}
