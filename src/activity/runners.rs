//! The table of checks: test runners, builds, linters and type checkers, and tasks whose name says that
//! they run one.
//!
//! Nothing else is a check: no script, one-liner, install, `git` or `gh`.

use super::shell::SimpleCommand;
use crate::memory::{CheckKind, CheckRun};

/// The toolchain of runners that run other runners: `make`, `just`, `pre-commit`.
pub const ANY: &str = "any";

/// The check that a command runs, if it is one, with its arguments and without an outcome.
pub fn check(command: &SimpleCommand) -> Option<CheckRun> {
    if ["--version", "--help", "-h", "--watch", "--collect-only"].iter().any(|f| command.has(f)) {
        return None;
    }
    let runner = runner(command)?;
    let key = runner.key.trim().to_owned();
    let arguments = arguments(command, &runner);
    let toolchain = runner.toolchain.to_owned();
    Some(CheckRun { key, kind: runner.kind, toolchain, arguments, ..CheckRun::default() })
}

struct Runner {
    kind: CheckKind,
    toolchain: &'static str,
    key: String,
    /// The number of words after the program that are part of the key: `run test`.
    skip: usize,
}

fn runner(command: &SimpleCommand) -> Option<Runner> {
    use CheckKind::{Build, Lint, Test, Types};
    let (program, verb) = (command.program(), command.verb());
    let two = || format!("{program} {verb}");
    let of = |kind, toolchain, key: String, skip| Some(Runner { kind, toolchain, key, skip });
    // The runner's key is the program, and its first word an argument.
    let one = |kind, toolchain| of(kind, toolchain, program.to_owned(), 0);
    let verbed = |kind, toolchain| of(kind, toolchain, two(), 1);
    match (program, verb) {
        ("cargo", "test" | "t") => of(Test, "cargo", "cargo test".into(), 1),
        ("cargo", "nextest") => of(Test, "cargo", "cargo test".into(), 2),
        ("cargo", "build" | "check" | "b" | "c" | "rustc" | "doc") => verbed(Build, "cargo"),
        ("cargo", "clippy" | "deny" | "audit" | "machete") => verbed(Lint, "cargo"),
        ("cargo", "fmt") | ("rustfmt", _) if command.has("--check") => {
            of(Lint, "cargo", "cargo fmt".into(), usize::from(program == "cargo"))
        }
        ("mix", "test") => verbed(Test, "mix"),
        ("mix", "compile") => verbed(Build, "mix"),
        ("mix", "credo") => verbed(Lint, "mix"),
        ("mix", "dialyzer") => verbed(Types, "mix"),
        ("mix", "format") if command.has("--check-formatted") => verbed(Lint, "mix"),
        ("go", "test") => verbed(Test, "go"),
        ("go", "build" | "install") if command.args().count() < 2 || is_path_like(command) => {
            of(Build, "go", "go build".into(), 1)
        }
        ("go", "vet") => verbed(Lint, "go"),
        ("golangci-lint", "run") => verbed(Lint, "go"),
        ("staticcheck", _) => one(Lint, "go"),
        ("gotestsum" | "ginkgo", _) => of(Test, "go", "go test".into(), 0),
        ("pytest" | "py.test", _) => of(Test, "python", "pytest".into(), 0),
        ("tox" | "nox" | "unittest" | "nose2" | "behave", _) => one(Test, "python"),
        ("manage.py", "test") => verbed(Test, "python"),
        ("ruff", "check") | ("sqlfluff", "lint") => verbed(Lint, "python"),
        ("ruff" | "black" | "isort" | "yapf", _)
            if command.has("--check") || command.has("--check-only") || command.has("--diff") =>
        {
            one(Lint, "python")
        }
        ("ruff", word) if word != "format" => one(Lint, "python"),
        ("flake8" | "pylint" | "bandit" | "pycodestyle" | "pydocstyle" | "vulture", _) => {
            one(Lint, "python")
        }
        ("mypy" | "pyright" | "basedpyright" | "pyre" | "pytype" | "dmypy", _) => {
            one(Types, "python")
        }
        ("ty", "check") => verbed(Types, "python"),
        ("vitest" | "playwright" | "cypress" | "jest" | "ava" | "karma", "run" | "test") => {
            of(Test, "node", program.into(), 1)
        }
        ("jest" | "vitest" | "mocha" | "ava" | "karma" | "tap" | "jasmine", _) => one(Test, "node"),
        ("node" | "tsx", _) if command.has("--test") => of(Test, "node", "node --test".into(), 0),
        ("eslint" | "biome" | "stylelint" | "oxlint" | "xo" | "standard" | "knip", _) => {
            one(Lint, "node")
        }
        ("prettier", _) if command.has("--check") || command.has("-c") || command.has("-l") => {
            one(Lint, "node")
        }
        ("tsc" | "vue-tsc" | "svelte-check" | "tsgo" | "flow", _) => one(Types, "node"),
        ("vite" | "next" | "nuxt" | "astro" | "ng" | "remix" | "expo" | "tsup", "build") => {
            verbed(Build, "node")
        }
        ("webpack" | "rollup" | "esbuild" | "parcel", _) => one(Build, "node"),
        ("next" | "ng" | "nuxt", "lint") => verbed(Lint, "node"),
        ("ng", "test") => verbed(Test, "node"),
        ("npm" | "pnpm" | "yarn" | "bun", _) => node_script(command),
        ("deno", "test") => verbed(Test, "deno"),
        ("deno", "lint") => verbed(Lint, "deno"),
        ("deno", "check") => verbed(Types, "deno"),
        ("rspec" | "minitest" | "cucumber", _) => one(Test, "ruby"),
        ("rails" | "rake", "test" | "spec") => verbed(Test, "ruby"),
        ("rubocop" | "standardrb" | "reek", _) => one(Lint, "ruby"),
        ("srb", "tc") => verbed(Types, "ruby"),
        ("phpunit" | "pest" | "paratest" | "codecept", _) => one(Test, "php"),
        ("artisan", "test") => verbed(Test, "php"),
        ("phpstan" | "psalm", _) => {
            of(Types, "php", program.into(), usize::from(verb == "analyse"))
        }
        ("phpcs" | "pint" | "php-cs-fixer", _) => one(Lint, "php"),
        ("composer", "test") => verbed(Test, "php"),
        ("ctest", _) => one(Test, "cmake"),
        ("cmake" | "ninja", _) => of(Build, "cmake", program.into(), 0),
        ("meson", "test") => verbed(Test, "cmake"),
        ("meson", "compile") => verbed(Build, "cmake"),
        ("bazel" | "bazelisk", "test") => verbed(Test, ANY),
        ("bazel" | "bazelisk", "build") => verbed(Build, ANY),
        ("mvn" | "mvnw" | "gradle" | "gradlew", _) => java(command),
        ("sbt" | "lein" | "clojure", "test") => verbed(Test, "java"),
        ("dotnet" | "swift" | "zig" | "flutter" | "dart" | "stack" | "cabal" | "forge", "test") => {
            of(Test, toolchain(program), two(), 1)
        }
        (
            "dotnet" | "swift" | "zig" | "flutter" | "sbt" | "stack" | "cabal" | "forge",
            "build" | "compile",
        ) => of(Build, toolchain(program), two(), 1),
        ("flutter" | "dart", "analyze") => verbed(Lint, toolchain(program)),
        ("swiftlint" | "swiftformat" | "ktlint" | "detekt" | "checkstyle", _) => one(Lint, ANY),
        ("xcodebuild", _) => {
            let kind = if command.has("test") { Test } else { Build };
            of(kind, "swift", program.into(), usize::MAX)
        }
        ("gcc" | "g++" | "cc" | "clang" | "clang++" | "rustc" | "javac" | "kotlinc" | "ghc", _) => {
            one(Build, toolchain(program))
        }
        ("docker" | "podman", "build") => of(Build, "docker", two(), usize::MAX),
        (
            "shellcheck" | "hadolint" | "tflint" | "yamllint" | "markdownlint" | "ansible-lint"
            | "actionlint" | "markdownlint-cli2" | "vale" | "cspell" | "codespell" | "typos"
            | "clang-tidy" | "cppcheck" | "luacheck" | "hlint" | "nixfmt" | "buf",
            _,
        ) => one(Lint, ANY),
        ("terraform" | "tofu", "validate") => verbed(Lint, "terraform"),
        ("terraform" | "tofu", "fmt") if command.has("-check") => verbed(Lint, "terraform"),
        ("terraform" | "tofu", "test") => verbed(Test, "terraform"),
        ("helm", "lint") => verbed(Lint, "helm"),
        ("pre-commit" | "prek" | "lefthook", "run") => verbed(Lint, ANY),
        ("dbt", "test") => verbed(Test, "dbt"),
        ("mkdocs" | "hugo" | "jekyll" | "typst", "build" | "compile") => verbed(Build, "docs"),
        ("sphinx-build" | "latexmk" | "pdflatex" | "xelatex" | "hugo", _) => one(Build, "docs"),
        ("nix", "flake") if command.has("check") => of(Build, "nix", "nix flake check".into(), 2),
        ("nix", "build") => verbed(Build, "nix"),
        _ => task(command),
    }
}

/// The toolchain of a program that is one, or that compiles for one.
fn toolchain(program: &str) -> &'static str {
    match program {
        "dotnet" => "dotnet",
        "swift" => "swift",
        "zig" => "zig",
        "flutter" | "dart" => "dart",
        "stack" | "cabal" | "ghc" => "haskell",
        "forge" => "forge",
        "sbt" | "javac" | "kotlinc" => "java",
        "rustc" => "cargo",
        _ => "c",
    }
}

/// Whether the second argument of `go build` is a package of this module: `go install ./cmd/x`.
fn is_path_like(command: &SimpleCommand) -> bool {
    command.args().nth(1).is_some_and(|word| word.starts_with('.') || !word.contains('@'))
}

/// The kind of check that the name of a task or script says: `test:unit`, `lint`, `typecheck`.
fn kind_of_name(name: &str) -> Option<CheckKind> {
    let words: Vec<&str> = name.split(|c: char| !c.is_ascii_alphanumeric()).collect();
    let has = |names: &[&str]| words.iter().any(|word| names.contains(word));
    if has(&["deploy", "publish", "release", "watch", "dev", "serve", "start", "install", "fix"]) {
        None
    } else if has(&["typecheck", "types", "tsc", "mypy", "pyright", "typing"])
        || name.contains("type-check")
        || name.contains("type_check")
    {
        Some(CheckKind::Types)
    } else if has(&["lint", "eslint", "clippy", "ruff", "rubocop", "prettier", "stylelint"])
        || has(&["format", "fmt"]) && has(&["check"])
    {
        Some(CheckKind::Lint)
    } else if has(&[
        "test", "tests", "spec", "specs", "e2e", "pytest", "jest", "vitest", "unittest",
    ]) {
        Some(CheckKind::Test)
    } else if has(&["build", "compile"]) {
        Some(CheckKind::Build)
    } else if has(&["check", "verify", "ci", "validate"]) {
        Some(CheckKind::Lint)
    } else {
        None
    }
}

/// A task of a task runner: `make test`, `just lint`, `mise run build`.
fn task(command: &SimpleCommand) -> Option<Runner> {
    let program = command.program();
    let (words, skip): (&str, usize) = match program {
        "make" | "gmake" | "just" | "task" | "rake" | "gulp" | "grunt" | "invoke" | "poe"
        | "ant" | "moon" | "earthly" | "tusk" | "scons" => ("", 1),
        "mise" | "turbo" | "nx" | "lerna" | "rush" | "wireit" | "xtask" => {
            let is_run = matches!(command.verb(), "run" | "r" | "run-many" | "affected");
            if is_run {
                (" run", 2)
            } else if program == "mise" {
                return None;
            } else {
                ("", 1)
            }
        }
        "cargo" if command.verb() == "xtask" => (" xtask", 2),
        _ => return None,
    };
    let is_goal = |word: &&str| !word.contains('=') && !word.starts_with('+');
    let name = command.args().filter(is_goal).nth(skip - 1).unwrap_or("");
    let kind = match name {
        "" if matches!(program, "make" | "gmake" | "scons") => CheckKind::Build,
        "all" if matches!(program, "make" | "gmake") => CheckKind::Build,
        name => kind_of_name(name)?,
    };
    Some(Runner { kind, toolchain: ANY, key: format!("{program}{words} {name}"), skip })
}

/// A goal of Maven or a task of Gradle: `mvn -q verify`, `gradlew :app:test`.
fn java(command: &SimpleCommand) -> Option<Runner> {
    let name = |word: &str| word.rsplit(':').next().unwrap_or("").to_owned();
    let goals: Vec<String> = command.args().map(name).collect();
    let kind = |goal: &String| match goal.as_str() {
        "verify" | "check" | "install" => Some(CheckKind::Test),
        "package" | "assemble" | "classes" => Some(CheckKind::Build),
        "clean" => None,
        goal if goal.to_lowercase().contains("test") => Some(CheckKind::Test),
        goal if goal.starts_with("compile") || goal.contains("build") => Some(CheckKind::Build),
        goal if goal.contains("lint") || goal.contains("spotless") => Some(CheckKind::Lint),
        _ => None,
    };
    let (goal, kind) = goals.iter().rev().find_map(|goal| Some((goal, kind(goal)?)))?;
    let program = match command.program() {
        "mvn" | "mvnw" => "mvn",
        _ => "gradle",
    };
    Some(Runner { kind, toolchain: "java", key: format!("{program} {goal}"), skip: usize::MAX })
}

/// A script of package.json: `npm test`, `pnpm run build`, `yarn lint`.
fn node_script(command: &SimpleCommand) -> Option<Runner> {
    let program = command.program();
    let operands = operands(command);
    let operand = |at: usize| operands.get(at).copied().unwrap_or("");
    let (script, skip) = match operand(0) {
        "run" | "run-script" => (operand(1), 2),
        "workspace" => (operand(2), 3),
        "t" => ("test", 1),
        verb => (verb, 1),
    };
    if matches!(script, "audit" | "install" | "i" | "ci" | "add") {
        return None;
    }
    let kind = match script {
        "check" | "svelte-check" => CheckKind::Types,
        script => kind_of_name(script)?,
    };
    let run = if skip == 1 || script == "test" { "" } else { "run " };
    Some(Runner { kind, toolchain: "node", key: format!("{program} {run}{script}"), skip })
}

/// The arguments that are neither flags nor the value of one that narrows the run.
fn operands(command: &SimpleCommand) -> Vec<&str> {
    let mut words = command.words.iter().skip(1).map(String::as_str);
    let mut out = Vec::new();
    while let Some(word) = words.next() {
        if NARROWING.contains(&word) {
            words.next();
        } else if !word.starts_with('-') {
            out.push(word);
        }
    }
    out
}

/// Flags that narrow a run, with a value.
const NARROWING: [&str; 26] = [
    "-k",
    "-t",
    "--testNamePattern",
    "--test-name-pattern",
    "--grep",
    "-g",
    "-run",
    "-E",
    "--filter",
    "-F",
    "--tests",
    "-p",
    "--package",
    "--test",
    "--bin",
    "--example",
    "--project",
    "-R",
    "--only",
    "--suite",
    "--tags",
    "--name",
    "-Dtest",
    "--testPathPattern",
    "--workspace",
    "-w",
];

/// Flags that narrow a run, without a value.
const NARROWING_ALONE: [&str; 7] =
    ["--lib", "--bins", "--doc", "--lf", "--ff", "--changed", "--only-changed"];

/// Flags whose value says nothing about what is checked.
const WITH_VALUE: [&str; 32] = [
    "-j",
    "--jobs",
    "--profile",
    "--manifest-path",
    "--features",
    "--target",
    "--target-dir",
    "--timeout",
    "-timeout",
    "-count",
    "--maxfail",
    "-c",
    "--config",
    "-n",
    "--tb",
    "-o",
    "-r",
    "-W",
    "--rootdir",
    "--reporter",
    "--color",
    "--max-warnings",
    "--ext",
    "-f",
    "--file",
    "-B",
    "--build",
    "-S",
    "--output",
    "--format",
    "--parallel",
    "-D",
];

/// The paths and filters on a runner's command line. Empty: it checks everything.
///
/// A path or a name is without `./`, and a flag stands with its value: `-k parse`.
fn arguments(command: &SimpleCommand, runner: &Runner) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    let mut left_to_skip = runner.skip;
    let mut words = command.words.iter().skip(1).map(String::as_str).peekable();
    while let Some(word) = words.next() {
        if word == "--" {
            // `cargo clippy` passes the rest to the compiler, `cargo test` to the tests as a filter.
            if runner.kind == CheckKind::Test || runner.toolchain == "node" {
                continue;
            }
            break;
        }
        if word.starts_with('-') {
            let (flag, value) = word.split_once('=').map_or((word, None), |(f, v)| (f, Some(v)));
            // `--workspace` is everything for Cargo and one package for npm.
            let narrows = NARROWING.contains(&flag)
                && !(flag == "--workspace" && runner.toolchain != "node")
                && !(flag == "--tests" && runner.toolchain == "cargo")
                && !(flag == "-t" && runner.toolchain == "go");
            if narrows {
                let value = value.or_else(|| words.next()).unwrap_or("");
                out.push(format!("{flag} {value}"));
            } else if NARROWING_ALONE.contains(&flag) {
                out.push(flag.to_owned());
            } else if value.is_none() && WITH_VALUE.contains(&flag) {
                words.next();
            }
            continue;
        }
        if left_to_skip > 0 {
            left_to_skip -= 1;
            continue;
        }
        let is_setting = word.contains('=') && !word.contains('/');
        let path = bare_path(word);
        if is_setting || word.starts_with('+') || path.is_empty() {
            continue;
        }
        let is_suite = runner.kind == CheckKind::Test
            && matches!(path, "test" | "tests" | "spec" | "specs" | "discover");
        if !is_suite {
            out.push(path.to_owned());
        }
    }
    out.truncate(24);
    out
}

/// `src/a` of `./src/a/...`. Empty for the whole project.
fn bare_path(word: &str) -> &str {
    let path = word.strip_suffix("...").unwrap_or(word).trim_end_matches('/');
    let path = path.strip_prefix("./").unwrap_or(path);
    if matches!(path, "." | "*" | "**") { "" } else { path }
}

#[cfg(test)]
mod tests {
    use CheckKind::{Build, Lint, Test, Types};

    use super::*;
    use crate::activity::shell;

    fn check_line(line: &str, expected: Option<(&str, CheckKind, &[&str])>) {
        let parts = shell::split(line);
        let found = parts.iter().find_map(check);
        let found = found.as_ref().map(|c| (c.key.as_str(), c.kind, c.arguments.clone()));
        let expected = expected.map(|(key, kind, arguments)| {
            (key, kind, arguments.iter().map(|a| (*a).to_owned()).collect::<Vec<_>>())
        });
        assert_eq!(found, expected, "{line}");
    }

    #[test]
    fn runners_are_known_behind_all_wrappers() {
        for line in [
            "pytest",
            "python3 -m pytest -q",
            "python3.12 -u -m pytest --tb=short",
            "uv run --with pytest-cov pytest",
            "poetry run python -m pytest tests/",
            "timeout -k 5 300 pytest -x",
            "time env -u FOO A=1 nice -n 10 pytest",
            "docker compose exec -T web pytest",
            "sh -c 'cd /app && pytest'",
            "bash -lc \"FOO=1 pytest 2>&1 | tail -3\"",
            "mise exec python@3.12 -- pytest",
            "coverage run -m pytest",
            ".venv/bin/python -m pytest .",
            "sudo -u app pytest",
        ] {
            check_line(line, Some(("pytest", Test, &[])));
        }
        check_line("npx --yes tsc --noEmit", Some(("tsc", Types, &[])));
        check_line("pnpm exec eslint . --max-warnings 0", Some(("eslint", Lint, &[])));
        check_line("bundle exec rspec", Some(("rspec", Test, &[])));
        check_line("node node_modules/.bin/jest", Some(("jest", Test, &[])));
    }

    #[test]
    fn tasks_count_if_their_name_says_so() {
        check_line("make test", Some(("make test", Test, &[])));
        check_line("make -j8 CC=clang", Some(("make", Build, &[])));
        check_line("mise run lint", Some(("mise run lint", Lint, &[])));
        check_line("just typecheck", Some(("just typecheck", Types, &[])));
        check_line("npm run build:web", Some(("npm run build:web", Build, &[])));
        check_line("npm run test", Some(("npm test", Test, &[])));
        check_line("yarn lint --fix", Some(("yarn lint", Lint, &[])));
        check_line("./gradlew :app:test", Some(("gradle test", Test, &[])));
        check_line("pnpm --filter web test", Some(("pnpm test", Test, &["--filter web"])));
        check_line("turbo run test", Some(("turbo run test", Test, &[])));
        for line in ["make deploy", "make run", "just dev", "npm run dev", "mise install"] {
            check_line(line, None);
        }
    }

    #[test]
    fn scripts_installs_and_git_are_no_checks() {
        for line in [
            "python run.py",
            "python -c 'import a; a.test()'",
            "python3 test_it.py",
            "node -e '1'",
            "./test.sh",
            "bash scripts/lint.sh",
            "npm ci",
            "pip install pytest",
            "cargo add serde",
            "cargo fmt",
            "black .",
            "git commit -m 'fix tests'",
            "gh pr checks",
            "pytest --version",
            "go install golang.org/x/tools/gopls@latest",
            "echo pytest",
            "",
        ] {
            check_line(line, None);
        }
    }

    #[test]
    fn arguments_are_paths_and_filters() {
        check_line(
            "cargo test -p core parse -- --nocapture",
            Some(("cargo test", Test, &["-p core", "parse"])),
        );
        check_line(
            "cargo nextest run -j1 -E 'test(a)'",
            Some(("cargo test", Test, &["-E test(a)"])),
        );
        check_line("cargo test --workspace --release", Some(("cargo test", Test, &[])));
        check_line("cargo clippy --all-targets -- -D warnings", Some(("cargo clippy", Lint, &[])));
        check_line("go test -count=1 ./...", Some(("go test", Test, &[])));
        check_line("go test -run TestX ./a/...", Some(("go test", Test, &["-run TestX", "a"])));
        check_line(
            "pytest tests/test_a.py::test_x -k 'not slow' -n 4",
            Some(("pytest", Test, &["tests/test_a.py::test_x", "-k not slow"])),
        );
        check_line("npm test -- src/a.test.ts", Some(("npm test", Test, &["src/a.test.ts"])));
        check_line("npx vitest run src/a", Some(("vitest", Test, &["src/a"])));
        check_line("ruff check src", Some(("ruff check", Lint, &["src"])));
    }
}
