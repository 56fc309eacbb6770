use proptest::prelude::*;

use super::*;
use crate::memory::{Cause, Message, Question};

fn batch(prompts: &[&str], turns: Vec<Turn>) -> Batch {
    let numbered = prompts.iter().zip(1..);
    Batch {
        client: "claude-code".to_owned(),
        prompts: numbered
            .map(|(text, number)| Prompt { number, text: (*text).to_owned() })
            .collect(),
        messages: vec![message(prompts.len() as i64, "t")],
        turns,
        ..Batch::default()
    }
}

fn message(prompt_number: i64, turn: &str) -> Message {
    Message {
        id: 9,
        cause: Cause::Stop,
        turn_id: Some(turn.to_owned()),
        prompt_number,
        agent_id: None,
        agent_type: None,
        tool_name: None,
        tool_input: None,
        tool_response: None,
        cwd: None,
        files: Vec::new(),
        last_assistant_message: None,
        created_at_epoch: 0,
    }
}

fn turn(request: &str, asked: Option<(&str, &[&str])>) -> Turn {
    Turn {
        request: request.to_owned(),
        asked: asked.map(|(text, options)| Question {
            text: text.to_owned(),
            options: options.iter().map(|option| (*option).to_owned()).collect(),
            ..Question::default()
        }),
        ..Turn::default()
    }
}

#[track_caller]
fn text(prompt: &str, expected: &str) {
    assert_eq!(request(&batch(&[prompt], Vec::new())).text, expected, "{prompt}");
}

#[test]
fn a_short_prompt_is_kept_whole() {
    text("Fix the login. It hangs on Safari.", "Fix the login. It hangs on Safari.");
    text("<ide_selection>never test</ide_selection>\nFix the typo", "Fix the typo");
    text("/review 12", "/review 12");
    text("<command-name>/deploy</command-name>\n<command-args>prod</command-args>", "/deploy prod");
    text("Two things:\n- Fix a.\n- Fix b.", "Two things: Fix a; Fix b");
    text("エラーを直して。テストも追加して。", "エラーを直して。 テストも追加して。");
    text("", "");
}

#[test]
fn pasted_text_is_skipped() {
    text("Here is the log:\n```\nERROR x\n```\nWhy does it hang?", "Why does it hang?");
    text(
        "Traceback (most recent call last):\n  File \"a.py\", line 1\nValueError: never\n\nWhy?",
        "Why?",
    );
    text("Host: a\nPort: 80\nMode: tcp\nMake the client retry.", "Make the client retry.");
    text("Here is the log:", "Here is the log");
    text("Add retries.\n\n```rust\nfn main() {}\n```", "Add retries.");
}

#[test]
fn greetings_and_praise_are_skipped() {
    text("Hi! Can you fix the login?", "Can you fix the login?");
    text("Hello Claude, fix the login", "fix the login");
    text("Great, thanks! Now commit it.", "Now commit it.");
    text("Hallo, behebe den Fehler im Export", "behebe den Fehler im Export");
    text("Hola, arregla el login", "arregla el login");
    text("你好，请修复登录", "请修复登录");
    text(
        "Perfect match of names is missing in search",
        "Perfect match of names is missing in search",
    );
}

#[test]
fn the_asking_sentence_and_a_closing_question_of_a_long_prompt_are_kept() {
    let long = "The export was written in 2019 and nobody has looked at it since then, not even \
        when the tables grew. It reads the whole table into memory first, which was fine for the \
        first customers and their small tables. Last night it ran out of memory and the server \
        was down for an hour. Could you make it stream the rows?";
    assert_eq!(
        from_prompt(long, 200),
        "The export was written in 2019 and nobody has looked at it since then, not even when the \
         tables grew. Could you make it stream the rows?"
    );
    let filler = "There is a lot to say about the history of this part of the program. ".repeat(5);
    assert!(
        from_prompt(&format!("{filler}Add a cache. {filler}Is that possible?"), 160)
            .ends_with("Add a cache. Is that possible?")
    );
    assert!(from_prompt(&"word ".repeat(200), 100).chars().count() <= 100);
    let list = format!("Please do:\n{}", "- fix one of the many parts\n".repeat(30));
    let text = from_prompt(&list, 160);
    assert!(text.ends_with(" more)") && text.chars().count() <= 160, "{text}");
}

#[test]
fn a_plan_to_implement_is_named_by_its_heading() {
    text(
        "Implement the following plan:\n\n# Plan: Retry failed uploads\n\n1. Never test",
        "Implement the plan: Retry failed uploads",
    );
    text("PLEASE IMPLEMENT THIS PLAN:\n# Retry uploads\n- x", "Implement the plan: Retry uploads");
}

#[test]
fn small_talk_is_no_request() {
    for talk in [
        "hi",
        "Thanks!!",
        "ok great, thank you so much",
        "what time is it?",
        "Who are you?",
        "good morning",
        "Danke dir",
        "wie spät ist es?",
        "Vielen Dank!",
        "merci beaucoup",
        "Quelle heure est-il ?",
        "bonjour",
        "muchas gracias",
        "¿Qué hora es?",
        "hola",
        "muito obrigado",
        "que horas são?",
        "bom dia",
        "grazie mille",
        "che ore sono?",
        "ciao",
        "спасибо большое",
        "который час?",
        "привет",
        "谢谢",
        "现在几点了？",
        "你好",
        "ありがとうございます",
        "今何時ですか？",
        "こんにちは",
        "감사합니다",
        "지금 몇 시야?",
        "안녕하세요",
        "شكرا لك",
        "كم الساعة الآن؟",
        "مرحبا",
        "çok teşekkürler",
        "saat kaç?",
        "merhaba",
    ] {
        assert!(is_small_talk(talk), "{talk}");
        text(talk, "");
    }
    for work in [
        "great, commit it",
        "hi, fix the login",
        "thanks to X it broke",
        "What time zone is it in?",
        "Danke, jetzt den Export",
        "gracias, ahora arregla el login",
        "спасибо, теперь почини экспорт",
        "谢谢，现在修复导出",
        "ありがとう、次はエクスポートを直して",
        "test the export",
    ] {
        assert!(!is_small_talk(work), "{work}");
    }
}

#[test]
fn going_on_is_no_request() {
    for prompt in [
        "continue",
        "Go on.",
        "keep going",
        "ok",
        "weiter",
        "mach weiter",
        "ja",
        "continue s'il te plaît",
        "continuez",
        "oui",
        "continúa",
        "sigue",
        "sí",
        "pode continuar",
        "prossiga",
        "sim",
        "vai avanti",
        "continua",
        "sì",
        "продолжай",
        "дальше",
        "да",
        "继续",
        "请继续",
        "好的",
        "続けてください",
        "続けて",
        "はい",
        "계속해줘",
        "계속",
        "네",
        "استمر",
        "تابع",
        "نعم",
        "devam et",
        "devam",
        "evet",
    ] {
        let got = request(&batch(&[prompt], vec![turn("Fix the login", None)]));
        assert!(got.continues && got.text.is_empty(), "{prompt}: {got:?}");
    }
    let first = request(&batch(&["continue"], Vec::new()));
    assert_eq!((first.text.as_str(), first.continues), ("continue", false));
    let more = request(&batch(&["continue with the export"], vec![turn("Fix the login", None)]));
    assert!(!more.continues);
}

#[test]
fn short_replies_name_what_they_answer() {
    let options: &[&str] = &["PostgreSQL", "SQLite"];
    let check = |reply: &str, asked, text: &str, re: &str, continues| {
        let got = request(&batch(&[reply], vec![turn("Add a store", Some(asked))]));
        assert_eq!(
            (got.text.as_str(), got.re.as_str(), got.continues),
            (text, re, continues),
            "{reply}"
        );
    };
    check("2", ("Which one?", options), "2", "SQLite", false);
    check("the second", ("Which one?", options), "the second", "SQLite", false);
    check("yes", ("Shall I add a flag?", &[]), "yes", "Shall I add a flag?", false);
    check("go on", ("Shall I go on?", &[]), "", "Shall I go on?", true);
    check("thanks", ("Anything else?", &[]), "", "", false);
    check(
        "Now fix the login page of the shop",
        ("Shall I add a flag?", &[]),
        "Now fix the login page of the shop",
        "",
        false,
    );
}

#[test]
fn vague_requests_get_the_earlier_one() {
    let turns = vec![turn("Add a cache to the export", None), turn("why?", None)];
    for prompt in [
        "do the same for the other one",
        "fix it",
        "why?",
        "try it again",
        "mach das nochmal",
        "fais-le encore",
        "hazlo otra vez",
        "faça de novo",
        "rifallo di nuovo",
        "сделай это снова",
        "再做一次这个",
        "もう一度それを",
        "다시 해줘",
        "افعل ذلك مرة أخرى",
        "bunu tekrar yap",
        "still fails",
    ] {
        let got = request(&batch(&[prompt], turns.clone()));
        assert_eq!((got.text.as_str(), got.re.as_str()), (prompt, "Add a cache to the export"));
    }
    for prompt in [
        "Fix the login page",
        "Add `retry` to it",
        "Rename it in src/a.rs",
        "Write docs for the parser",
    ] {
        assert_eq!(request(&batch(&[prompt], turns.clone())).re, "", "{prompt}");
    }
}

#[test]
fn complaints_are_told_apart_from_requests() {
    for prompt in [
        "It still fails with the same error",
        "still not working",
        "That's wrong, the total is 3",
        "that's not it. the total should include VAT",
        "now it crashes",
        "why does it still fail?",
        "Der Test schlägt immer noch fehl",
        "geht nicht",
        "Das ist falsch",
        "ça ne marche toujours pas",
        "même erreur",
        "c'est faux",
        "sigue fallando",
        "no funciona",
        "el mismo error",
        "ainda não funciona",
        "não funcionou",
        "mesmo erro de antes",
        "ancora non funziona",
        "stesso errore",
        "è sbagliato",
        "всё ещё не работает",
        "та же ошибка",
        "не помогло",
        "还是不行",
        "同样的错误",
        "不对",
        "まだ失敗します",
        "同じエラーです",
        "動きません",
        "여전히 실패해요",
        "같은 오류가 나요",
        "안 돼요",
        "ما زال لا يعمل",
        "نفس الخطأ",
        "لم ينجح",
        "hala çalışmıyor",
        "aynı hata",
        "yine hata veriyor",
    ] {
        assert!(complains(prompt, true), "{prompt}");
        assert!(!complains(prompt, false), "{prompt}");
    }
    for prompt in [
        "Add a test",
        "does it still fail?",
        "If it still fails, revert it",
        "Make sure nothing is broken",
        "thanks",
        "Füge einen Test hinzu",
        "Geht das auch mit npm?",
        "Wenn es immer noch fehlschlägt, revert",
        "ajoute un test",
        "Est-ce que ça marche ?",
        "Si ça ne marche pas, reviens en arrière",
        "añade una prueba",
        "Si no funciona, revierte",
        "¿Funciona?",
        "adicione um teste",
        "Se não funcionar, reverta",
        "aggiungi un test",
        "Se non funziona, annulla",
        "добавь тест",
        "Если не работает, откати",
        "添加一个测试",
        "如果还是不行就回滚",
        "テストを追加して",
        "もし失敗したら戻して",
        "테스트를 추가해줘",
        "만약 안 되면 되돌려줘",
        "أضف اختبارا",
        "إذا لم ينجح فتراجع",
        "bir test ekle",
        "eğer çalışmıyorsa geri al",
    ] {
        assert!(!complains(prompt, true), "{prompt}");
    }
}

#[test]
fn prompts_of_others_are_no_requests() {
    let turns = || vec![turn("Fix the login", None)];
    let check = |prompt: &str, sender, continues| {
        let got = request(&batch(&[prompt], turns()));
        assert_eq!(got, Request { sender, continues, ..Request::default() }, "{prompt}");
    };
    check(
        "<task-notification>\n<status>completed</status>\n</task-notification>",
        Sender::Client,
        true,
    );
    check("Stop hook feedback:\nrun the tests", Sender::Hook, true);
    check("Another Claude session sent a message:\nfix it", Sender::Agent, true);
    check("# Autonomous loop tick", Sender::Schedule, false);
    let looping = "/loop 5m check the build";
    let got = request(&batch(&[looping], vec![turn(looping, None)]));
    assert_eq!((got.sender, got.text.as_str()), (Sender::Schedule, looping));
    assert_eq!(request(&batch(&[looping], turns())).sender, Sender::User);
    assert_eq!(request(&Batch::default()), Request::default());
}

#[test]
fn the_prompts_of_a_turn_are_joined() {
    let prompts =
        ["Add a cache.", "<system-reminder>x</system-reminder>", "Also raise the limit.", "thanks"];
    let got = request(&batch(&prompts, Vec::new()));
    assert_eq!(got.text, "Add a cache. Also raise the limit.");
    // The first prompt belongs to an earlier turn.
    let mut two = batch(&["Add a cache.", "Fix the login."], Vec::new());
    two.messages.insert(0, message(1, "earlier"));
    assert_eq!(request(&two).text, "Fix the login.");
}

proptest! {
    #[test]
    fn any_prompt_has_a_request(prompt in "[-a-zA-Z0-9:.,`*#/\n |é。？継続]{0,300}", max in 20usize..300) {
        let got = from_prompt(&prompt, max);
        prop_assert!(got.chars().count() <= max, "{}", got);
        let _ = request(&batch(&[&prompt], vec![turn("x", Some(("Which?", &["a b", "c d"])))]));
    }
}

#[test]
fn rules_are_no_part_of_the_request() {
    text("Fix the export now. Never push to main.", "Fix the export now.");
    text(
        "Write a log viewer. Rules:\n- always use tabs\n- no new dependencies",
        "Write a log viewer.",
    );
    text("Never push to main.", "Never push to main.");
}

#[test]
fn an_answer_can_be_put_off() {
    let asked = Turn {
        asked: Some(Question { text: "Which token for `#c0ffee`?".into(), ..Question::default() }),
        ..Turn::default()
    };
    for prompt in ["in a meeting, later", "have to ask them", "they'll have them in may, not yet"] {
        assert!(request(&batch(&[prompt], vec![asked.clone()])).defers, "{prompt}");
        assert!(!request(&batch(&[prompt], vec![Turn::default()])).defers, "{prompt}");
    }
    for prompt in ["yes", "take --brand-600", "add the check that values make sense"] {
        assert!(!request(&batch(&[prompt], vec![asked.clone()])).defers, "{prompt}");
    }
}

#[test]
fn what_the_user_puts_off_is_kept_in_their_words() {
    let put_off = |prompt: &str| request(&batch(&[prompt], vec![Turn::default()])).put_off;
    assert_eq!(put_off("nice. i look at it on monday. bye"), "i look at it on monday.");
    for prompt in [
        "das mache ich am Freitag",
        "ok je regarde demain avec Inès",
        "a pro lo subo yo el jueves",
        "faço o deploy amanhã",
        "ci penso io domani",
        "завтра посмотрю",
        "下周再说",
        "明日見ます",
        "내일 볼게",
        "سأنظر فيه غدا",
        "yarın bakarım",
    ] {
        assert_eq!(put_off(prompt), prompt);
    }
    for prompt in ["pushed it myself", "why does the job fail on sunday?", "thanks, bye"] {
        assert_eq!(put_off(prompt), "", "{prompt}");
    }
}

#[test]
fn a_goodbye_is_no_request() {
    let earlier = || vec![Turn::default()];
    assert_eq!(request(&batch(&["gotta run, later"], earlier())).text, "");
    assert_eq!(
        request(&batch(&["why does it wait until later?"], earlier())).text,
        "why does it wait until later?"
    );
}

#[test]
fn reports_of_the_user_are_recognized() {
    for text in [
        "pushed, PR's merged. back to teams",
        "hecho. comprueba que va",
        "выкатил 0042 вчера ночью, всё летает",
        "erledigt, der Key ist gesetzt",
    ] {
        assert!(request(&batch(&[text], vec![turn("a", None)])).did, "{text}");
    }
    for text in ["is it done?", "Add the flag. Then merge it", "the merged cells are wrong"] {
        assert!(!request(&batch(&[text], vec![turn("a", None)])).did, "{text}");
    }
}

#[test]
fn a_denial_of_what_was_said_is_recognized() {
    let denies = |text: &str, turns| request(&batch(&[text], turns)).denies;
    let asked = || vec![turn("why two?", Some(("Shall I look?", &[])))];
    assert!(denies("no, there is only one order", vec![turn("why two?", None)]));
    assert!(!denies("now the footer", vec![turn("why two?", None)]));
    assert!(!denies("no, leave it", asked()), "it answers a question");
}
