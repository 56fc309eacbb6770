//! Programs that run another program: `sudo`, `npx`, `uv run`, `docker compose exec`, `sh -c`.

/// Wrappers of two words, and their flags that take a value.
const TWO_WORDS: [(&str, &str, &[&str]); 20] = [
    ("uv", "run", &["--with", "--extra", "--group", "--python", "-p", "--env-file", "--directory"]),
    ("poetry", "run", &[]),
    ("pipenv", "run", &[]),
    ("bundle", "exec", &[]),
    ("pdm", "run", &[]),
    ("hatch", "run", &[]),
    ("rye", "run", &[]),
    ("pnpm", "exec", &[]),
    ("pnpm", "dlx", &[]),
    ("npm", "exec", &[]),
    ("yarn", "exec", &[]),
    ("yarn", "dlx", &[]),
    ("bun", "x", &[]),
    ("mise", "exec", &[]),
    ("mise", "x", &[]),
    ("conda", "run", &["-n", "--name"]),
    ("direnv", "exec", &[]),
    ("coverage", "run", &[]),
    ("op", "run", &["--env-file"]),
    ("doppler", "run", &[]),
];

/// Wrappers of one word, and their flags that take a value.
const ONE_WORD: [(&str, &[&str]); 31] = [
    ("sudo", &["-u", "-g"]),
    ("doas", &["-u"]),
    ("time", &["-f", "-o"]),
    ("npx", &["-p", "--package"]),
    ("bunx", &[]),
    ("uvx", &["--from", "--with", "--python"]),
    ("env", &["-u"]),
    ("nice", &["-n"]),
    ("ionice", &["-c", "-n"]),
    ("nohup", &[]),
    ("setsid", &[]),
    ("exec", &[]),
    ("command", &[]),
    ("builtin", &[]),
    ("then", &[]),
    ("do", &[]),
    ("else", &[]),
    ("elif", &[]),
    ("if", &[]),
    ("while", &[]),
    ("until", &[]),
    ("!", &[]),
    ("{", &[]),
    ("xvfb-run", &[]),
    ("stdbuf", &[]),
    ("caffeinate", &[]),
    ("unbuffer", &[]),
    ("cross-env", &[]),
    ("dotenv", &["-e"]),
    ("taskset", &["-c"]),
    ("--", &[]),
];

/// Removes wrappers in front of the program, and normalizes the program's name. Returns whether one of
/// the wrappers was `sudo`.
pub fn strip(words: &mut Vec<String>) -> bool {
    let mut with_sudo = false;
    // Each round removes at least one word.
    loop {
        let first = words.first().map_or("", |word| base(word));
        let second = words.get(1).map_or("", String::as_str);
        with_sudo |= matches!(first, "sudo" | "doas");
        let two = TWO_WORDS.iter().find(|(a, b, _)| (first, second) == (*a, *b));
        let one = ONE_WORD.iter().find(|(a, _)| first == *a);
        let drop = if let Some((_, _, with_value)) = two {
            2 + flags(&words[2..], with_value) + usize::from(has_operand(first, words.get(2)))
        } else if let Some((_, with_value)) = one {
            1 + flags(&words[1..], with_value)
        } else if is_assignment(words.first().map_or("", String::as_str)) {
            1
        } else if matches!(first, "timeout" | "gtimeout") {
            let flags = flags(&words[1..], &["-k", "-s", "--signal", "--kill-after"]);
            1 + flags + usize::from(words.len() > 1 + flags)
        } else if let Some(at) = python_module(words) {
            at
        } else if first == "-m" {
            // What `coverage run` leaves.
            1
        } else if matches!(first, "docker" | "podman" | "docker-compose" | "kubectl") {
            container_prefix(words)
        } else if starts_runner(first, second) {
            1
        } else {
            0
        };
        if drop == 0 || drop > words.len() {
            break;
        }
        words.drain(..drop);
    }
    if let Some(program) = words.first_mut() {
        if is_python(base(program)) {
            *program = "python".to_owned();
        } else if base(program) == "pip3" {
            *program = "pip".to_owned();
        }
    }
    with_sudo
}

/// The number of flags in front, with their values. Assignments count as flags.
fn flags(words: &[String], with_value: &[&str]) -> usize {
    let mut at = 0;
    while let Some(word) = words.get(at).filter(|word| word.starts_with('-') && *word != "-m") {
        at += if with_value.contains(&word.as_str()) { 2 } else { 1 };
        if word == "--" {
            break;
        }
    }
    at.min(words.len())
}

/// Whether a wrapper is followed by an operand of its own: `mise exec node@20 -- npm test`.
fn has_operand(wrapper: &str, word: Option<&String>) -> bool {
    match wrapper {
        "mise" => word.is_some_and(|word| word.contains('@')),
        "direnv" => true,
        _ => false,
    }
}

/// The number of words before the command in `docker compose exec web COMMAND`.
fn container_prefix(words: &[String]) -> usize {
    const WITH_VALUE: [&str; 16] = [
        "-e",
        "--env",
        "-u",
        "--user",
        "-w",
        "--workdir",
        "-v",
        "--volume",
        "-p",
        "--name",
        "-n",
        "-c",
        "--network",
        "--index",
        "--entrypoint",
        "--env-file",
    ];
    let Some(at) = words.iter().take(6).position(|w| w == "exec" || w == "run") else { return 0 };
    let service = at + 1 + flags(&words[at + 1..], &WITH_VALUE);
    if words.len() > service + 1 { service + 1 } else { 0 }
}

/// Whether `program` is an interpreter that starts a test runner or a task runner from a file:
/// `php vendor/bin/phpunit`, `node node_modules/.bin/jest`, `python manage.py`.
fn starts_runner(program: &str, script: &str) -> bool {
    const RUNNERS: [&str; 16] = [
        "phpunit",
        "pest",
        "phpstan",
        "psalm",
        "artisan",
        "manage.py",
        "pytest",
        "jest",
        "jest.js",
        "vitest",
        "vitest.mjs",
        "mocha",
        "eslint",
        "eslint.js",
        "tsc",
        "rails",
    ];
    (is_python(program) || matches!(program, "php" | "node" | "ruby"))
        && RUNNERS.contains(&base(script))
}

/// The position of the module in `python -u -m pytest`.
fn python_module(words: &[String]) -> Option<usize> {
    is_python(base(words.first()?)).then_some(())?;
    let at = words.iter().position(|word| word == "-m")?;
    let is_option = |word: &String| word.starts_with('-') || word == "ignore" || word == "error";
    words[1..at].iter().all(is_option).then_some(at + 1)
}

fn is_python(program: &str) -> bool {
    program
        .strip_prefix("python")
        .or_else(|| program.strip_prefix("py").filter(|rest| rest.is_empty()))
        .is_some_and(|version| version.bytes().all(|b| b.is_ascii_digit() || b == b'.'))
}

fn base(word: &str) -> &str {
    word.rsplit('/').next().unwrap_or(word)
}

fn is_assignment(word: &str) -> bool {
    word.split_once('=').is_some_and(|(name, _)| {
        !name.is_empty()
            && !name.starts_with(|c: char| c.is_ascii_digit())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    })
}

/// Removes the flag that changes the program's directory, and returns the directory. Also removes
/// flags of git before its verb: `git -c user.name=x commit`.
pub fn take_dir(words: &mut Vec<String>) -> Option<String> {
    let program = words.first().map_or("", |word| base(word)).to_owned();
    if program == "git" {
        // Settings stand before the verb, in any order with `-C`.
        let mut at = 1;
        while words.get(at).is_some_and(|word| word.starts_with('-')) {
            match words[at].as_str() {
                "-c" => {
                    words.drain(at..(at + 2).min(words.len()));
                }
                "-C" => at += 2,
                _ => at += 1,
            }
        }
    }
    let flags: &[&str] = match program.as_str() {
        "git" | "make" | "gmake" | "ninja" | "cargo" | "go" | "pnpm" | "poetry" => &["-C", "--dir"],
        "npm" => &["--prefix"],
        "yarn" | "bun" => &["--cwd"],
        "uv" | "just" => &["--directory", "--working-directory"],
        _ => return None,
    };
    for at in 1..words.len() {
        let word = words[at].as_str();
        // `git commit -C HEAD` is another flag.
        let verb_first = matches!(program.as_str(), "git" | "cargo" | "go");
        if verb_first && !word.starts_with('-') {
            return None;
        }
        if flags.contains(&word) && at + 1 < words.len() {
            let dir = words.remove(at + 1);
            words.remove(at);
            return Some(dir);
        }
        let joined = flags.iter().find_map(|flag| word.strip_prefix(flag)?.strip_prefix('='));
        if let Some(dir) = joined.map(str::to_owned) {
            words.remove(at);
            return Some(dir);
        }
    }
    None
}
