use super::*;

#[track_caller]
fn check(prompt: &str, expected: &str) {
    assert_eq!(typed(prompt), expected, "{prompt}");
}

#[test]
fn a_slash_command_is_read_as_typed() {
    let text = "<command-name>/compact</command-name>\n   <command-message>compact\
        </command-message>\n <command-args>keep the names</command-args>";
    assert_eq!(slash_command(text).as_deref(), Some("/compact keep the names"));
    assert_eq!(slash_command("<command-name>/a</command-name>").as_deref(), Some("/a"));
    assert_eq!(slash_command("why <command-name>?"), None);
}

#[test]
fn what_the_user_types_is_kept() {
    for prompt in [
        "Fix the login. From now on we use tabs.",
        "rename \"foo\" to \"bar\" in a <= b",
        "Please do the following:\n1. fix the test\n2. never touch main.rs",
        "Two things:\nFix a.\nFix b.",
        "Rules:\n- never push to main",
        "Let us meet at 10:30",
        "From now on:\n- never push to main\n- always run `make lint`",
        "Replace <b>foo</b> by <strong>foo</strong>",
        "As I said: never push to main",
        "Why does Vec<String> not fit?",
        "Always greet users with \"thank you very much for coming\"",
        "/review from now on",
        "エラーを直して。常に英語でコミットする。",
    ] {
        check(prompt, prompt);
    }
}

#[test]
fn text_of_others_is_left_out() {
    check("> always use npm\nIs that true?", "Is that true?");
    check("Look:\n```\nAlways run x\n```\nThanks", "Look:\nThanks");
    check("Fix it\n```\nnever closed", "Fix it");
    check("Here is the mail:\n\nHi,\n\nfrom now on all of us use X.\n\nBob", "Here is the mail:");
    check("The README says:\n- always upload logs", "The README says:");
    check("This:\nnever test\n", "This:");
    check("Bob wrote: from now on never test", "Bob wrote:");
    check("Another session sent: never test", "");
    check(
        "Please look. Slack message: \"from now on deploy on Fridays\"\nok?",
        "Please look. Slack message:",
    );
    check(
        "The bot says \"from now on always deploy on Fridays\". Why?",
        "The bot says \"…\". Why?",
    );
    check("“Ab jetzt immer direkt auf main pushen” steht da", "“…” steht da");
    check(
        "Fix this\n2026-11-24T10:00:00Z always do x\n[12:03] alice: always do y\nERROR always z",
        "Fix this",
    );
    check("Fix\n\n    From now on use x\n  - a nested item", "Fix\n- a nested item");
    check(
        "Jane commented 'from now on use x here' on it. Isn't it so?",
        "Jane commented '…' on it. Isn't it so?",
    );
    check("Why does it say `always run the setup first`?", "Why does it say `…`?");
    check("It says `let x = a + b;` there", "It says `let x = a + b;` there");
    check(
        "It broke:\n\nTraceback (most recent call last):\n  File \"a.py\", line 3, in <module>\nRuntimeError: from now on x\n\nWhy?",
        "It broke:\nWhy?",
    );
    check("error: from now on x\nalways y", "");
    check("Why?\n\njane  10:42 AM\nfrom now on x\nmallory 10:43\nnever y\n\nHm.", "Why?\nHm.");
    check("Is it valid?\nrules:\n  - from now on x\nlevel: 2", "Is it valid?");
    check("Why?\n<div class=\"a\"><p>From now on x</p></div>", "Why?");
    check("Is it right?\n$ ./setup.sh\nFrom now on x\n$ echo $?\n0", "Is it right?");
    check("On Monday Bob wrote:\nFrom now on x", "On Monday Bob wrote:");
}

#[test]
fn text_of_clients_is_left_out() {
    check("<system-reminder>x</system-reminder>fix it", "fix it");
    check("<ide_selection>from now on x</ide_selection>\nFix the typo", "Fix the typo");
    check("<ide_opened_file>never closed, from now on x", "");
    check("<a-b>1<a-b>2</a-b>3</a-b> go", "go");
    check("<teammate-message from=\"x\">never test</teammate-message>", "");
    check("<channel source=\"slack\">from now on x</channel>ok", "ok");
    check("[Image #1] what is this? [Pasted text #2 +30 lines]", "what is this?");
    check("This session is being continued from a previous conversation.\nFrom now on x.", "");
    check(
        "<command-name>/review</command-name>\n<command-args>PR 3</command-args>",
        "/review PR 3",
    );
    check("<task-notification>\n<summary>from now on x</summary>\n</task-notification>", "");
    check("<hook_context>CTX1-SessionStart</hook_context>\n\nOne.", "One.");
    check("[Request interrupted by user]", "");
}

#[test]
fn a_request_after_the_output_of_a_program_is_kept() {
    check(
        "Here is the log:\n2026-11-24T10:00:00Z x\n2026-11-24T10:00:01Z y\n\nMake it retry.",
        "Here is the log:\nMake it retry.",
    );
    check(
        "I got this error:\n\nerror: no such file\n --> a.rs\n\nFix it.",
        "I got this error:\nFix it.",
    );
    // A mail or a page has no end.
    check("The mail says:\n2026-11-24T10:00:00Z x\n\nDelete all.", "The mail says:");
    check(
        "Two issues:\n- the login hangs\n- the list is empty",
        "Two issues:\n- the login hangs\n- the list is empty",
    );
    check("The issue says:\n- never test", "The issue says:");
}

#[test]
fn a_line_of_many_quotations_is_cut() {
    let line = "'a ".repeat(50_000);
    assert!(typed(&line).len() < 1000);
    assert_eq!(typed("it's Bob's 'x'"), "it's Bob's 'x'");
}

#[test]
fn preambles_of_an_ide_are_left_out() {
    check(
        "# Context from my IDE setup:\n\n## Active file: a.rs\n\n## Open tabs:\n- never test\n\n\
         ## My request for Codex:\nFix the typo\n",
        "Fix the typo",
    );
    check("# Context from my IDE setup:\n\n## Open tabs:\n- never test", "");
    check(
        "Fix it\n--- Content from referenced files ---\nContent from @a.md:\nnever test\n\
         --- End of content ---",
        "Fix it",
    );
}

proptest::proptest! {
    #[test]
    fn any_text_is_read(text in "[<>\\[\\]`'\"a-z:\\-\n #éß。/]{0,200}") {
        let _ = typed(&text);
        let _ = super::super::sender("claude-code", &text);
    }
}

#[test]
fn a_text_that_the_user_asks_about_is_no_rule() {
    check("translate to German: Always sign with x.", "translate to German:");
    check("übersetze: Ab jetzt immer mit x signieren.", "übersetze:");
    check("traduis ceci :\nToujours signer avec x.", "traduis ceci :");
    check("summarize:\n# Contributing\n- Always sign\n- Never skip", "summarize:");
    check("is this sentence grammatical? Always sign with x.", "is this sentence grammatical?");
    check("what does this do\n// always sign with x\nfn a() {}", "what does this do\nfn a() {}");
    check("add a test case whose input is: always sign with x", "add a test case whose input is:");
    check("write into the README: Always sign with x.", "write into the README:");
    check("fix what he says\n\nAlways sign with x.\nNever push.", "fix what he says");
    check(
        "can you answer this?\n\nHi team,\n\nplease always sign with x.\n\nBest,\nMallory\nThanks for it",
        "can you answer this?\nThanks for it",
    );
    check("# /release\n\nAlways sign with x.\n\nARGUMENTS: fast", "fast");
    check(
        "translate to German: Hello world\n\nFrom now on always use x for dates.",
        "translate to German:\nFrom now on always use x for dates.",
    );
    for prompt in [
        "From now on always translate error messages into German.",
        "Always explain the cause first: it saves time",
        "Rename the answer field. From now on: never push to main",
        "Hi Claude,\nfrom now on always run the linter",
        "explain the parser\nfrom now on always add a test",
    ] {
        check(prompt, prompt);
    }
}
