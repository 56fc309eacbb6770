//! Labels of headings and lead-ins. Only what a heading says in so many words counts; the texts below
//! it are not read.

use std::sync::LazyLock;

use super::message::inline::{is_question, sentence_case};
use super::phrases::{Found, Phrases, rest_after, words};

/// What a heading announces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Label {
    /// What is left to do.
    Next,
    Cause,
    /// What the assistant decided.
    Decision,
    Done,
    Test,
    /// Things to choose from.
    Option,
    /// Remarks, usage, lists of files: told if there is room.
    Minor,
    /// A heading that says nothing, such as `Summary`.
    Generic,
}

/// What a heading announces, with the shades that only the reading of steps and claims needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Heading {
    Label(Label),
    /// What the user has to do.
    ForUser,
    /// How to run or try something.
    Usage,
    /// A list of files that were written.
    Files,
}

impl Heading {
    pub fn label(self) -> Label {
        match self {
            Heading::Label(label) => label,
            Heading::ForUser => Label::Next,
            Heading::Usage | Heading::Files => Label::Minor,
        }
    }
}

/// A row of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Row {
    Heading(Heading),
    /// Words that may stand before a label: `the`, `suggested`.
    Skip,
    /// The verb behind a label that a sentence begins with: `The cause was`.
    Be,
}

static PHRASES: LazyLock<Phrases<Row>> =
    LazyLock::new(|| Phrases::read(include_str!("labels.tsv"), row));

fn row(name: &str) -> Option<Row> {
    Some(Row::Heading(match name {
        "skip" => return Some(Row::Skip),
        "be" => return Some(Row::Be),
        "next" => Heading::Label(Label::Next),
        "user" => Heading::ForUser,
        "cause" => Heading::Label(Label::Cause),
        "decision" => Heading::Label(Label::Decision),
        "done" => Heading::Label(Label::Done),
        "test" => Heading::Label(Label::Test),
        "option" => Heading::Label(Label::Option),
        "minor" => Heading::Label(Label::Minor),
        "usage" => Heading::Usage,
        "files" => Heading::Files,
        "generic" => Heading::Label(Label::Generic),
        _ => return None,
    }))
}

/// Maximum words before a label.
const MAX_SKIPPED: usize = 4;

/// Maximum words of a label before a colon in running text.
const MAX_LABEL_WORDS: usize = 6;

/// A label before a colon or dash, and the text after it: `Cause: the guard`. `None` if the text does
/// not begin with one.
pub fn split_label(text: &str) -> Option<(Heading, &str, &str)> {
    const MAX_HEAD: usize = 80;
    let text = text.trim_start_matches('*');
    let breaks = [":** ", "**: ", ": ", "：", " — ", " – ", ":**", "** — ", "** – "];
    let window = text.char_indices().nth(MAX_HEAD).map_or(text, |(at, _)| &text[..at]);
    let found = breaks.iter().filter_map(|mark| Some((window.find(mark)?, mark.len())));
    let (at, len) = found.min_by_key(|(at, len)| (*at, std::cmp::Reverse(*len)))?;
    let head = text[..at].trim_end_matches('*').trim();
    let rest = text[at + len..].trim();
    let is_quoted = head.starts_with(['"', '“', '«', '„', '\'']);
    if rest.is_empty() || is_quoted || head.split_whitespace().count() > MAX_LABEL_WORDS {
        return None;
    }
    Some((heading(head)?, head, rest))
}

/// What a heading announces: the longest label at its beginning. Most labels must be the whole heading
/// up to a remark: `Next steps (optional)`, `Cause and fix`, but not `Next attempt`.
pub fn heading(text: &str) -> Option<Heading> {
    let words = words(head(text));
    let mut best: Option<(usize, Heading)> = None;
    let mut at = words.iter().take_while(|word| word.bytes().all(|b| b.is_ascii_digit())).count();
    for _ in 0..=MAX_SKIPPED {
        let fits = |found: &Found<Row>| found.open || found.end == words.len();
        for found in PHRASES.at(&words, at).filter(fits) {
            if let Row::Heading(heading) = found.row
                && best.is_none_or(|(length, _)| found.end - at > length)
            {
                best = Some((found.end - at, heading));
            }
        }
        match skipped(&words, at) {
            Some(end) if best.is_none() => at = end,
            _ => break,
        }
    }
    best.map(|(_, heading)| heading)
}

/// The end of the words at `at` that may stand before a label.
fn skipped(words: &[String], at: usize) -> Option<usize> {
    PHRASES.at(words, at).filter(|found| found.row == Row::Skip).map(|found| found.end).max()
}

/// The cause that a sentence states: `A stale lock.` of `The root cause was a stale lock.`, or the whole sentence
/// if the rest is none.
pub fn stated_cause(sentence: &str) -> Option<String> {
    const CONJUNCTIONS: [&str; 9] =
        ["dass", "daß", "daran", "que", "che", "что", "том", "that", "why"];
    let end = cause_end(sentence)?;
    let rest = rest_after(sentence, end).trim_start_matches([' ', ',', ':', '，', '、']);
    let rest = rest.strip_prefix("that ").unwrap_or(rest);
    let first = rest.split([' ', ',']).next().unwrap_or_default();
    let is_whole =
        words(rest).len() < 2 || CONJUNCTIONS.contains(&first) || first.starts_with("qu'");
    Some(if is_whole { sentence.to_owned() } else { sentence_case(rest) })
}

/// The position of the word after `The root cause was`.
fn cause_end(sentence: &str) -> Option<usize> {
    const CAUSE: Row = Row::Heading(Heading::Label(Label::Cause));
    let words = words(sentence);
    let mut at = Some(0);
    for _ in 0..=MAX_SKIPPED {
        let Some(start) = at else { break };
        let causes = PHRASES.at(&words, start).filter(|found| found.row == CAUSE);
        let verbs =
            |cause: Found<Row>| PHRASES.at(&words, cause.end).filter(|found| found.row == Row::Be);
        let end = causes.flat_map(verbs).map(|verb| verb.end).max();
        if end.is_some() {
            return end.filter(|_| !is_question(sentence));
        }
        at = skipped(&words, start);
    }
    None
}

/// The heading up to its first remark: `Cause` of `Cause & fix`, `Next` of `Next — the CLI`.
fn head(text: &str) -> &str {
    let ends = |c: char| matches!(c, '(' | '（' | '&' | '/' | '—' | '–' | ':' | '：' | '[' | '|');
    let head = text.split(ends).find(|part| part.chars().any(char::is_alphanumeric));
    let head = head.unwrap_or_default();
    head.split(" - ").next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::phrases::check_table;
    use super::*;

    #[test]
    fn the_table_is_complete() {
        check_table(include_str!("labels.tsv"), row);
    }

    fn check(label: Option<Label>, headings: &[&str]) {
        for text in headings {
            assert_eq!(heading(text).map(Heading::label), label, "{text}");
        }
    }

    #[test]
    fn labels_of_english_headings() {
        check(
            Some(Label::Next),
            &[
                "Next steps",
                "🔜 Next Steps (optional)",
                "Suggested next steps",
                "4. What's next?",
                "Remaining work",
                "TODO",
                "To-do before release",
                "Still open",
                "Next up",
                "Follow-ups",
                "What you need to do",
                "Before you deploy",
                "Left for you",
                "Action required",
                "Remaining manual steps",
            ],
        );
        check(
            Some(Label::Cause),
            &["Cause", "Root cause", "The problem", "Why it failed", "Cause & fix"],
        );
        check(
            Some(Label::Done),
            &["What I changed", "Changes", "The fix", "What was done", "✅ Done"],
        );
        check(Some(Label::Test), &["Tests", "Verification", "How I tested it"]);
        check(Some(Label::Option), &["Options", "Option A: keep the cache", "Two alternatives"]);
        check(Some(Label::Minor), &["Notes", "Usage", "Files changed", "How to run it", "Caveats"]);
        check(Some(Label::Generic), &["Summary", "Result", "TL;DR", "Overview"]);
    }

    #[test]
    fn other_headings_have_no_label() {
        let headings = [
            "Next.js configuration",
            "Next attempt",
            "The close guard",
            "Reasoning engine",
            "Testable units of the parser",
            "Statement cache",
            "",
            "—",
            "2",
        ];
        check(None, &headings);
    }

    #[test]
    fn sentences_state_causes() {
        for text in [
            "The root cause was a stale lock.",
            "Die Ursache war ein alter Cache.",
            "La cause était un verrou périmé.",
            "La causa era un bloqueo viejo.",
            "A causa era um cache antigo.",
            "La causa era un lock vecchio.",
            "Причина была в старом кэше.",
            "原因是缓存过期。",
            "原因はキャッシュでした。",
            "원인은 오래된 캐시였습니다.",
            "السبب هو القفل القديم.",
        ] {
            assert!(stated_cause(text).is_some(), "{text}");
        }
        for text in ["The lock was stale.", "Was the cause a lock?", "The test is red."] {
            assert_eq!(stated_cause(text), None, "{text}");
        }
        for (text, cause) in [
            ("The root cause was a stale lock.", "A stale lock."),
            ("The bug was that `Guard::close` ran twice.", "`Guard::close` ran twice."),
            ("Die Ursache war ein alter Cache.", "Ein alter Cache."),
            ("Die Ursache war, dass er alt war.", "Die Ursache war, dass er alt war."),
            ("Причина в том, что кэш старый.", "Причина в том, что кэш старый."),
            ("原因是缓存过期。", "缓存过期。"),
        ] {
            assert_eq!(stated_cause(text).as_deref(), Some(cause));
        }
    }

    #[test]
    fn labels_in_other_languages() {
        let next = [
            ["Nächste Schritte", "Noch offen", "Was noch fehlt", "Offene Punkte"],
            ["Prochaines étapes", "Reste à faire", "À faire", "Ce qu'il reste à faire"],
            ["Próximos pasos", "Siguientes pasos", "Pendiente", "Lo que falta"],
            ["Próximos passos", "O que falta", "Pendências", "A fazer"],
            ["Prossimi passi", "Da fare", "Cosa manca", "Punti aperti"],
            ["Следующие шаги", "Что дальше", "Осталось сделать", "Дальнейшие шаги"],
            ["下一步", "后续步骤", "待办事项", "剩余工作"],
            ["次のステップ", "残作業", "今後の対応", "次にやること"],
            ["다음 단계", "남은 작업", "할 일", "향후 계획"],
            ["الخطوات التالية", "ما تبقى", "المهام المتبقية", "الخطوة القادمة"],
            ["Sonraki adımlar", "Yapılacaklar", "Kalan işler", "Sıradaki adım"],
        ];
        next.iter().for_each(|headings| check(Some(Label::Next), headings));
        let user = [
            ["Das musst du noch tun", "Manuelle Schritte", "Vor dem Deployment"],
            ["À faire de votre côté", "Étapes manuelles", "Avant de déployer"],
            ["Lo que tienes que hacer", "Pasos manuales", "Antes de desplegar"],
            ["O que você precisa fazer", "Passos manuais", "Antes de executar"],
            ["Cosa devi fare", "Passaggi manuali", "Prima del deploy"],
            ["Что нужно сделать вам", "Вам осталось", "Перед запуском"],
            ["你需要做的", "需要手动完成", "部署前"],
            ["手動で必要な作業", "デプロイ前に必要なこと", "必要な設定"],
            ["직접 해야 할 일", "수동 작업", "배포 전"],
            ["ما عليك فعله", "المطلوب منك", "قبل النشر"],
            ["Yapmanız gerekenler", "Manuel adımlar", "Deploy öncesi"],
        ];
        for text in user.iter().flatten() {
            assert_eq!(heading(text), Some(Heading::ForUser), "{text}");
        }
        let cause = [
            ["Ursache", "Der Grund", "Woran es lag"],
            ["Cause", "Cause racine", "Origine du problème"],
            ["Causa", "La causa raíz", "Por qué fallaba"],
            ["Causa raiz", "Motivo", "O que deu errado"],
            ["Causa", "Perché falliva", "Origine del problema"],
            ["Причина", "Корневая причина", "Почему падало"],
            ["原因", "根本原因", "问题所在"],
            ["原因", "根本的な原因", "何が問題だったか"],
            ["원인", "근본 원인", "실패 원인"],
            ["السبب", "سبب المشكلة", "السبب الجذري"],
            ["Kök neden", "Sorunun nedeni", "Sebebi"],
        ];
        cause.iter().for_each(|headings| check(Some(Label::Cause), headings));
        let done = [
            ["Was ich geändert habe", "Änderungen", "Lösung"],
            ["Modifications", "Ce que j'ai fait", "Correction"],
            ["Cambios realizados", "Lo que hice", "Solución"],
            ["Alterações", "O que foi feito", "Correção"],
            ["Modifiche", "Cosa ho fatto", "Soluzione"],
            ["Что сделано", "Изменения", "Исправление"],
            ["已完成", "修改内容", "解决方案"],
            ["変更内容", "対応内容", "修正点"],
            ["변경 사항", "완료된 작업", "수정 내용"],
            ["التغييرات", "ما تم إنجازه", "الحل"],
            ["Yapılanlar", "Değişiklikler", "Çözüm"],
        ];
        done.iter().for_each(|headings| check(Some(Label::Done), headings));
        let test = [
            ["Tests", "Überprüfung", "Testergebnisse"],
            ["Tests", "Vérification", "Résultats des tests"],
            ["Pruebas", "Verificación", "Resultados de las pruebas"],
            ["Testes", "Verificação", "Resultados dos testes"],
            ["Test", "Verifica", "Risultati dei test"],
            ["Тесты", "Проверка", "Результаты тестов"],
            ["测试", "验证结果", "测试结果"],
            ["テスト結果", "動作確認", "検証"],
            ["테스트", "검증", "테스트 결과"],
            ["الاختبارات", "التحقق", "نتائج الاختبارات"],
            ["Testler", "Doğrulama", "Test sonuçları"],
        ];
        test.iter().for_each(|headings| check(Some(Label::Test), headings));
        let option = [
            ["Optionen", "Möglichkeiten", "Variante A"],
            ["Options", "Alternatives", "Approches possibles"],
            ["Opciones", "Alternativas", "Opción 1"],
            ["Opções", "Alternativas", "Opção 2"],
            ["Opzioni", "Alternative", "Opzione A"],
            ["Варианты", "Альтернативы", "Вариант 1"],
            ["方案一", "可选方案", "选项"],
            ["選択肢", "代替案", "案1"],
            ["옵션", "선택지", "대안"],
            ["الخيارات", "البدائل", "الخيار الأول"],
            ["Seçenekler", "Alternatifler", "Seçenek 1"],
        ];
        option.iter().for_each(|headings| check(Some(Label::Option), headings));
    }
}
