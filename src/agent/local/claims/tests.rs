//! Claims of whole messages against evidence, in every language.

use super::super::message::Message;
use super::without_claims;
use crate::memory::{
    Blocker, BlockerKind, CheckKind, CheckRun, ClaimKind, CommitMade, Effect, EffectKind, Evidence,
    FileChange, Outcome, Turn,
};
use ClaimKind::{FailedCheck, NoCommit, UnprovenPass, UnwrittenFile};

fn run(key: &str, outcome: Outcome) -> CheckRun {
    CheckRun { key: key.into(), outcome, ..CheckRun::default() }
}

fn evidence(checks: &[CheckRun], files: &[&str]) -> Evidence {
    let file = |path: &&str| FileChange { path: (*path).into(), ..FileChange::default() };
    Evidence {
        checks: checks.to_vec(),
        files: files.iter().map(file).collect(),
        tool_uses: 3,
        ..Evidence::default()
    }
}

fn turn(evidence: Evidence) -> Turn {
    Turn { evidence, ..Turn::default() }
}

fn claims(text: &str, evidence: &Evidence, earlier: &[Turn]) -> Vec<(ClaimKind, String)> {
    let claims = Message::read(text).claims(evidence, earlier);
    claims.into_iter().map(|claim| (claim.kind, claim.subject)).collect()
}

#[test]
fn a_pass_is_claimed_after_a_failing_run() {
    let failed = evidence(&[run("pytest", Outcome::Fail)], &["a.py"]);
    for text in [
        "Fixed the guard. All tests pass.",
        "The test suite is green now.",
        "- Tests: 41 passed",
        "## Verification\nThe 41 tests passed without errors.",
        "| check | result |\n|--|--|\n| tests | all passing |",
    ] {
        assert_eq!(claims(text, &failed, &[]), [(FailedCheck, "pytest".to_owned())], "{text}");
    }
    for text in [
        "1 failed, 41 passed.",
        "The tests don't pass yet.",
        "All tests pass except one.",
        "The tests should pass now.",
        "Once the tests pass, merge it.",
        "Do the tests pass?",
        "The test passes a token to `login`.",
        "## Next steps\n- Check that all tests pass",
        "## Cause\nThe tests passed with a mock.",
        "CI passes its tests.",
        "> All tests pass.",
    ] {
        assert_eq!(claims(text, &failed, &[]), [], "{text}");
    }
}

#[test]
fn a_pass_needs_a_run() {
    let text = "All tests pass.";
    let unproven = [(UnprovenPass, "test".to_owned())];
    let passed = evidence(&[run("pytest", Outcome::Pass)], &["a.py"]);
    let unknown = evidence(&[run("pytest", Outcome::Unknown)], &["a.py"]);
    let nothing = evidence(&[], &["a.py"]);
    assert_eq!(claims(text, &passed, &[]), []);
    assert_eq!(claims(text, &unknown, &[]), []);
    assert_eq!(claims(text, &nothing, &[]), unproven);
    // An earlier pass holds until files change.
    assert_eq!(claims(text, &evidence(&[], &[]), &[turn(passed.clone())]), []);
    assert_eq!(claims(text, &nothing, &[turn(passed)]), unproven);
    let mut covered = run("pytest", Outcome::Fail);
    covered.covered = true;
    assert_eq!(claims(text, &evidence(&[covered, run("tox", Outcome::Pass)], &[]), &[]), []);
    let build = "The build succeeds and clippy is clean.";
    let test = evidence(&[run("cargo test", Outcome::Pass)], &["a.rs"]);
    assert_eq!(claims(build, &test, &[]), [(UnprovenPass, "lint".to_owned())]);
    // Of two suites one fails, and the message speaks of the other.
    let two = evidence(&[run("go test", Outcome::Pass), run("npm test", Outcome::Fail)], &["a.go"]);
    assert_eq!(claims("The `go test` tests pass.", &two, &[]), []);
    assert_eq!(claims(text, &two, &[]), [(FailedCheck, "npm test".to_owned())]);
}

#[test]
fn a_narrow_pass_leaves_the_failure_of_the_suite() {
    let failed = run("jest", Outcome::Fail);
    let mut narrow = run("jest", Outcome::Pass);
    narrow.arguments = vec!["src/date.test.ts".into()];
    narrow.counts = "9 passed".into();
    let both = evidence(&[failed, narrow], &["src/date.ts"]);
    for text in [
        "Tests pass.",
        "All 9 tests pass now, new ones too.",
        "Die Tests laufen durch.",
        "테스트가 통과합니다.",
    ] {
        assert_eq!(claims(text, &both, &[]), [(FailedCheck, "jest".to_owned())], "{text}");
    }
    for text in ["The new tests pass.", "The 9 tests pass.", "The tests of `date` pass."] {
        assert_eq!(claims(text, &both, &[]), [], "{text}");
    }
    let mut types = run("tsc", Outcome::Fail);
    types.kind = CheckKind::Types;
    let types = evidence(&[types], &["a.ts"]);
    let text = "It compiles cleanly.";
    assert_eq!(claims(text, &types, &[]), [(FailedCheck, "tsc".to_owned())]);
}

#[test]
fn a_file_is_told_as_written_but_was_not() {
    let unwritten = [(UnwrittenFile, "src/fn.ts".to_owned())];
    let none = evidence(&[], &[]);
    for text in [
        "Done! I added the gate to `src/fn.ts`.",
        "- Created `src/fn.ts` with the gate",
        "## Files changed\n- `src/fn.ts`: the gate",
        "I updated `src/fn.ts:12`.",
    ] {
        assert_eq!(claims(text, &none, &[]), unwritten, "{text}");
        let other = evidence(&[], &["src/other.ts"]);
        assert_eq!(claims(text, &other, &[]), unwritten, "{text}");
        let edited = evidence(&[], &["app/src/fn.ts"]);
        assert_eq!(claims(text, &edited, &[]), [], "{text}");
        // Claimed again in a later turn.
        assert_eq!(claims(text, &none, &[turn(edited)]), [], "{text}");
    }
    for text in [
        "The gate should be added to `src/fn.ts`.",
        "I added the gate; `src/fn.ts` reads it.",
        "I haven't changed `src/fn.ts`.",
        "Added the gate, like in `Node.js`.",
        "Added a call of `fn.call` and the field `a.b`.",
        "I'd have created `src/fn.ts` next.",
        "`src/fn.ts` exports the gate.",
        "Created the `src` gate from `src/fn.ts`.",
        "## Next steps\n- `src/fn.ts` is to be updated",
    ] {
        let edited = evidence(&[], &["src/gate.ts"]);
        assert_eq!(claims(text, &edited, &[]), [], "{text}");
    }
    let below = evidence(&[], &["/p/src/gate/mod.rs"]);
    assert_eq!(claims("Added `src/gate/mod.rs` and `./src/gate/mod.rs`.", &below, &[]), []);
    let mut committed = evidence(&[], &["a.ts"]);
    let stat = Some("3 files changed, 9 insertions(+)".to_owned());
    committed.commits = vec![CommitMade { stat, ..CommitMade::default() }];
    assert_eq!(claims("Updated `b.ts`.", &committed, &[]), []);
}

#[test]
fn a_commit_or_push_is_claimed_but_was_not_made() {
    let mut made = evidence(&[], &["a.rs"]);
    for (text, subject) in [
        ("Committed as `1a2b3c4`.", "commit"),
        ("I've committed the change.", "commit"),
        ("Everything is committed.", "commit"),
        ("Pushed to `main`.", "push"),
        ("All changes are pushed to origin, the branch is pushed to main.", "push"),
    ] {
        assert_eq!(claims(text, &made, &[]), [(NoCommit, subject.to_owned())], "{text}");
    }
    for text in [
        "Rows that are committed stay.",
        "Not committed.",
        "The value is pushed onto the stack.",
        "I haven't pushed it.",
        "Shall I push?",
    ] {
        assert_eq!(claims(text, &made, &[]), [], "{text}");
    }
    made.commits = vec![CommitMade::default()];
    made.effects = vec![Effect { kind: EffectKind::Pushed, ..Effect::default() }];
    let text = "Committed and pushed. Everything is committed and pushed to main.";
    assert_eq!(claims(text, &made, &[]), []);
    assert_eq!(claims(text, &evidence(&[], &[]), &[turn(made)]), []);
}

#[test]
fn passes_in_other_languages() {
    let failed = evidence(&[run("pytest", Outcome::Fail)], &["a.py"]);
    for text in [
        "Alle Tests sind grün.",
        "Alle 41 Tests bestehen.",
        "Die Tests laufen durch.",
        "Tous les tests passent.",
        "Les tests sont au vert.",
        "Tous les tests ont réussi.",
        "Todas las pruebas pasan.",
        "Los tests pasaron.",
        "Las pruebas están en verde.",
        "Todos os testes passam.",
        "Os testes passaram.",
        "Todos os testes estão verdes.",
        "Tutti i test passano.",
        "I test sono verdi.",
        "Tutti i test superati.",
        "Все тесты проходят.",
        "Тесты прошли успешно.",
        "Все тесты зелёные.",
        "所有测试都通过了。",
        "测试全部通过。",
        "单元测试成功。",
        "すべてのテストが通りました。",
        "テストは全て成功しました。",
        "テストがパスしました。",
        "모든 테스트가 통과했습니다.",
        "테스트가 성공했습니다.",
        "테스트 통과.",
        "جميع الاختبارات نجحت.",
        "نجحت الاختبارات.",
        "كل الاختبارات ناجحة.",
        "Tüm testler geçti.",
        "Testler başarılı.",
        "Tüm testler geçiyor.",
    ] {
        assert_eq!(claims(text, &failed, &[]), [(FailedCheck, "pytest".to_owned())], "{text}");
    }
    for text in [
        "Die Tests sind noch nicht grün.",
        "Les tests ne passent pas.",
        "Las pruebas no pasan.",
        "Os testes não passam.",
        "I test non passano.",
        "Тесты не проходят.",
        "测试未通过。",
        "テストは通りません。",
        "테스트가 통과하지 않습니다.",
        "لم تنجح الاختبارات.",
        "Testler geçmiyor.",
    ] {
        assert_eq!(claims(text, &failed, &[]), [], "{text}");
    }
}

#[test]
fn files_and_commits_in_other_languages() {
    for text in [
        "Ich habe die Sperre in `a.rs` hinzugefügt.",
        "J'ai ajouté le verrou dans `a.rs`.",
        "He añadido el bloqueo en `a.rs`.",
        "Adicionei o bloqueio em `a.rs`.",
        "Ho aggiunto il blocco in `a.rs`.",
        "Я добавил блокировку в `a.rs`.",
        "我在 `a.rs` 中添加了锁。",
        "`a.rs` にロックを追加しました。",
        "`a.rs` 에 잠금을 추가했습니다.",
        "أضفت القفل إلى `a.rs`.",
        "`a.rs` dosyasına kilit ekledim.",
    ] {
        let none = evidence(&[], &["b.rs"]);
        assert_eq!(claims(text, &none, &[]), [(UnwrittenFile, "a.rs".to_owned())], "{text}");
        assert_eq!(claims(text, &evidence(&[], &["src/a.rs"]), &[]), [], "{text}");
    }
    for text in [
        "Die Änderung ist committet.",
        "Les changements sont commités.",
        "Hice commit de los cambios.",
        "Fiz o commit das alterações.",
        "Ho fatto il commit.",
        "Изменения закоммичены.",
        "更改已提交。",
        "変更をコミットしました。",
        "변경을 커밋했습니다.",
        "تم إنشاء الالتزام.",
        "Değişiklikleri commit ettim.",
    ] {
        let none = evidence(&[], &["b.rs"]);
        assert_eq!(claims(text, &none, &[]), [(NoCommit, "commit".to_owned())], "{text}");
    }
}

fn blocker(kind: BlockerKind, command: &str, subject: &str) -> Blocker {
    Blocker { kind, command: command.into(), subject: subject.into(), ..Blocker::default() }
}

#[test]
fn a_message_confirms_a_blocker() {
    let confirms = |text: &str, blocker: &Blocker| Message::read(text).confirms(blocker);
    let nvcc = blocker(BlockerKind::Missing, "nvcc", "nvcc");
    let sudo = blocker(BlockerKind::Credentials, "sudo apt-get install", "");
    let hook = blocker(BlockerKind::Hook, "git commit", "pre-commit");
    let ci = blocker(BlockerKind::Ci, "gh pr checks", "build.yml");
    let docker = blocker(BlockerKind::Service, "docker compose up", "");
    let push = blocker(BlockerKind::Denied, "git push", "");
    let build = blocker(BlockerKind::Other, "npm run build", "");
    for (text, blocker) in [
        ("I couldn't compile it: `nvcc` isn't installed.", &nvcc),
        ("The toolkit is needed. `nvcc` comes with it.", &nvcc),
        ("## Not done\n- CUDA build, because nvcc is missing", &nvcc),
        ("`sudo` asks for a password, so I stopped.", &sudo),
        ("The hook refuses the commit.", &hook),
        ("The build still fails, and the log says nothing.", &build),
        ("CI is still red.", &ci),
        ("The `build` workflow fails.", &ci),
        ("Docker doesn't start here.", &docker),
        ("The push was rejected.", &push),
        ("`nvcc` fehlt hier.", &nvcc),
        ("`nvcc` n'est pas installé.", &nvcc),
        ("Falta `nvcc`.", &nvcc),
        ("`nvcc` não está instalado.", &nvcc),
        ("Manca `nvcc`.", &nvcc),
        ("`nvcc` не установлен.", &nvcc),
        ("未安装 `nvcc`。", &nvcc),
        ("`nvcc` が見つかりません。", &nvcc),
        ("`nvcc` 가 설치되어 있지 않습니다.", &nvcc),
        ("`nvcc` غير مثبت.", &nvcc),
        ("`nvcc` kurulu değil.", &nvcc),
    ] {
        assert!(confirms(text, blocker), "{text}");
    }
    for (text, blocker) in [
        ("Fixed the guard.", &nvcc),
        ("The parser fails on tabs.", &build),
        ("I compiled it with `nvcc`.", &nvcc),
        ("`nvcc` was missing; it now works.", &nvcc),
        ("The parser fails on tabs.", &docker),
        ("Committed.", &hook),
        ("", &ci),
    ] {
        assert!(!confirms(text, blocker), "{text}");
    }
}

#[test]
fn claims_leave_the_text() {
    let failed = evidence(&[run("pytest", Outcome::Fail)], &["a.py"]);
    let text = "Added the gate. All tests pass.";
    let claims = Message::read(text).claims(&failed, &[]);
    assert_eq!(without_claims(text, &claims), "Added the gate.");
}

proptest::proptest! {
    #[test]
    fn any_text(text in r"(all tests pass|added `a\.rs`|nvcc|[-`.:? \n]|é|済){0,60}") {
        let message = Message::read(&text);
        message.claims(&evidence(&[], &["b.rs"]), &[]);
        message.confirms(&blocker(BlockerKind::Missing, "nvcc", "nvcc"));
    }
}
