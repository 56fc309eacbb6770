use super::*;

/// Whether two outputs have a print in common.
fn matches(a: &str, b: &str) -> bool {
    let known = read(a, 12);
    read(b, 60).iter().any(|print| known.contains(print))
}

/// Pairs of outputs of the same error.
const SAME: [(&str, &str); 17] = [
    (
        "Undefined symbols for architecture arm64:\n  \"_deflate_init\", referenced from:\n      _main in a.o\nld: symbol(s) not found for architecture arm64",
        "Undefined symbols for architecture x86_64:\n  \"_deflate_init\", referenced from:\n      _run in b.o",
    ),
    (
        "error[E0425]: cannot find value `parse_line` in this scope\n  --> src/a.rs:3:5\nerror: could not compile `mine` (lib) due to 1 previous error",
        "   Compiling mine v0.2.0 (/home/x/mine)\nerror[E0425]: cannot find value `parse_line` in this scope\n   --> src/other/b.rs:812:17",
    ),
    (
        "src/a.ts(3,1): error TS2304: Cannot find name 'Foo'.",
        "\u{1b}[96msrc/web/b.ts\u{1b}[0m:\u{1b}[93m30\u{1b}[0m:\u{1b}[93m12\u{1b}[0m - \u{1b}[91merror\u{1b}[0m TS2304: Cannot find name 'Foo'.",
    ),
    (
        "Traceback (most recent call last):\n  File \"a.py\", line 3, in <module>\nModuleNotFoundError: No module named 'torch'",
        "E   ModuleNotFoundError: No module named 'torch'",
    ),
    (
        "E       KeyError: 'user_id'\n\ntests/test_a.py:4: KeyError\nFAILED tests/test_a.py::test_b - KeyError: 'user_id'\n1 failed in 0.1s",
        "KeyError: 'user_id'",
    ),
    ("./a.go:3:2: undefined: parseLine", "pkg/b/c.go:17:9: undefined: parseLine"),
    (
        "node:internal/modules/cjs/loader:1078\n  throw err;\n\nError: Cannot find module 'express'\nRequire stack:\n- /app/a.js",
        "Error: Cannot find module 'express'\n    at Module._resolveFilename (node:internal/modules/cjs/loader:1075:15)",
    ),
    (
        "TypeError: Cannot read properties of undefined (reading 'length')\n    at parse (/app/a.js:3:5)",
        "Uncaught TypeError: Cannot read properties of undefined (reading 'length')\n    at parse (/srv/app/a.js:33:15)",
    ),
    ("bash: line 1: terraform: command not found", "zsh: command not found: terraform"),
    ("/bin/sh: 1: flake8: not found", "bash: flake8: command not found"),
    (
        "/usr/bin/ld: /tmp/ccX1.o: in function `main':\na.c:(.text+0x9): undefined reference to `deflate_init'\ncollect2: error: ld returned 1 exit status",
        "/usr/bin/ld: /tmp/ccY7.o: in function `run':\nb.c:(.text+0x1f): undefined reference to `deflate_init'",
    ),
    (
        "/usr/bin/ld: cannot find -lssl: No such file or directory",
        "/usr/bin/ld.bfd: cannot find -lssl",
    ),
    (
        "Error: listen EADDRINUSE: address already in use :::3000",
        "Error: listen EADDRINUSE: address already in use :::8080",
    ),
    (
        "2026-11-03T10:12:01Z ERROR connection pool timed out after 30s",
        "2026-11-04T11:00:59Z ERROR connection pool timed out after 60s",
    ),
    (
        "thread 'parser::empty' (123) panicked at src/parser.rs:42:9:\nparse_header called on an empty buffer",
        "thread 'parser::empty' panicked at src/parser.rs:57:9:\nparse_header called on an empty buffer\ntest parser::empty ... FAILED\ntest result: FAILED. 0 passed; 1 failed",
    ),
    (
        "test parser::empty ... FAILED\ntest result: FAILED. 3 passed; 1 failed; 0 ignored",
        "test parser::empty ... FAILED\ntest result: FAILED. 9 passed; 2 failed; 0 ignored",
    ),
    (
        "fatal: The current branch fix-a has no upstream branch.",
        "fatal: The current branch fix-a has no upstream branch.",
    ),
];

/// Pairs of outputs of different errors.
const DIFFERENT: [(&str, &str); 14] = [
    (
        "error[E0425]: cannot find value `parse_line` in this scope",
        "error[E0425]: cannot find value `parse_file` in this scope",
    ),
    (
        "error: could not compile `mine` (lib) due to 1 previous error",
        "error: could not compile `mine` (lib) due to 1 previous error",
    ),
    (
        "error: linking with `cc` failed: exit status: 1",
        "error: linking with `cc` failed: exit status: 1",
    ),
    ("E   assert 1 == 2\n1 failed in 0.1s", "E   assert 3 == 4\n1 failed in 0.2s"),
    (
        "assertion `left == right` failed\n  left: 1\n right: 2",
        "assertion `left == right` failed\n  left: 8\n right: 9",
    ),
    ("AssertionError: expected 3 to equal 4", "AssertionError: expected 5 to equal 6"),
    (
        "ModuleNotFoundError: No module named 'torch'",
        "ModuleNotFoundError: No module named 'numpy'",
    ),
    ("bash: jq: command not found", "bash: yq: command not found"),
    ("cat: a.txt: No such file or directory", "cat: b.txt: No such file or directory"),
    ("Permission denied", "Permission denied"),
    ("Segmentation fault (core dumped)", "Segmentation fault (core dumped)"),
    (
        "panic: runtime error: invalid memory address or nil pointer dereference",
        "panic: runtime error: invalid memory address or nil pointer dereference",
    ),
    ("Exit code 1", "Exit code 1"),
    (
        "src/a.ts(3,1): error TS2304: Cannot find name 'Foo'.",
        "src/a.ts(3,1): error TS2304: Cannot find name 'Bar'.",
    ),
];

#[test]
fn the_same_error_is_recognized() {
    for (a, b) in SAME {
        assert!(matches(a, b), "{a}\n---\n{b}");
        assert!(matches(b, a), "{b}\n---\n{a}");
    }
}

#[test]
fn different_errors_and_such_without_a_cause_are_not_mixed_up() {
    for (a, b) in DIFFERENT {
        assert!(!matches(a, b), "{a}\n---\n{b}\n{:?} {:?}", read(a, 9), read(b, 9));
    }
}

#[test]
fn any_text_is_read() {
    for text in ["", "\u{0}", "error: ", "error[", "'", "`'`'`", "E   ", ": : :", "é'é’é", "0x"]
    {
        read(text, 9);
        read(&text.repeat(2_000), 9);
    }
}

#[test]
fn stored_prints_stay_the_same() {
    assert_eq!(read("bash: jq: command not found", 9), ["cd6071c68f5f8"]);
}
