use super::*;
use crate::agent::local::prompt::read;

fn rules(prompt: &str, place: Place) -> Vec<String> {
    let said = read(prompt);
    said.into_iter().filter(|said| rule(said, place).is_some()).map(|said| said.text).collect()
}

#[track_caller]
fn holds(place: Place, sentences: &[&str]) {
    let is_missed = |sentence: &&&str| rules(sentence, place) != [**sentence];
    let missed: Vec<_> = sentences.iter().filter(is_missed).collect();
    assert!(missed.is_empty(), "{place:?}: no rules: {missed:#?}");
}

#[track_caller]
fn none(place: Place, prompts: &[&str]) {
    let taken: Vec<_> = prompts.iter().filter(|prompt| !rules(prompt, place).is_empty()).collect();
    assert!(taken.is_empty(), "{place:?}: rules: {taken:#?}");
}

#[test]
fn lasting_rules_hold_in_any_prompt() {
    holds(
        Place::Later,
        &[
            // English
            "From now on all money is integer cents, never floats.",
            "Always run `make lint` before you commit.",
            "we use pnpm here, not npm.",
            "I prefer small commits over one big one",
            "In this repo we squash before merging",
            "Errors should never be swallowed silently",
            "Prefer composition over inheritance",
            "Remember to update the changelog with every release",
            "Never push to main",
            "do not commit to main, open a PR instead",
            "please stop using emojis in commit messages",
            "The delay is there on purpose, the sensor needs 2 s",
            "Note: from now on we use tabs",
            "As I said, from now on no pushes to main",
            // German
            "Ab jetzt schreiben wir alle Preise in Cent.",
            "Wir verwenden hier nur pnpm, nicht npm",
            "Niemals direkt auf main pushen",
            "Tests sollten nie das Netz benutzen",
            "Ich bevorzuge kleine Commits",
            // French
            "Désormais, tous les montants sont en centimes.",
            "N'utilise jamais de variables globales",
            "Utilise toujours des requêtes préparées",
            "On utilise pnpm, pas npm",
            // Spanish
            "A partir de ahora los importes van en céntimos.",
            "Nunca subas cambios a main",
            "Usamos pnpm, no npm",
            "Prefiero commits pequeños",
            // Portuguese
            "A partir de agora, todas as mensagens em português",
            "Nunca faça push direto na main",
            "Usamos tabs, não espaços",
            // Italian
            "D'ora in poi i prezzi sono in centesimi",
            "Non usare mai variabili globali",
            "Usiamo pnpm, non npm",
            // Russian
            "С этого момента все цены в копейках",
            "Никогда не пушь в main",
            "Мы используем pnpm, а не npm",
            // Chinese
            "从现在开始所有金额都用分表示。",
            "永远不要直接推送到 main",
            "我们用 pnpm，不要用 npm",
            "提交信息必须用英文",
            // Japanese
            "今後は金額をすべて円の整数で扱う。",
            "コミットする前に必ずテストを実行してください",
            "絶対に main に直接プッシュしないでください",
            // Korean
            "앞으로는 모든 금액을 정수로 저장해 주세요",
            "절대 main에 직접 푸시하지 마세요",
            "커밋하기 전에 항상 테스트를 실행하세요",
            // Arabic
            "من الآن فصاعدا كل المبالغ بالسنت",
            "لا تدفع أبدا إلى main مباشرة",
            "شغل الاختبارات دائما قبل كل commit",
            // Turkish
            "Bundan sonra tüm fiyatlar kuruş olarak tutulacak",
            "Asla main dalına doğrudan push yapma",
            "Commit etmeden önce her zaman testleri çalıştır",
        ],
    );
}

#[test]
fn constraints_of_a_first_prompt_are_rules() {
    let sentences = [
        "MIT licence",
        "MIT license, please.",
        "One kernel only.",
        "Compile before running tests",
        "merge directly",
        "No new dependencies.",
        "use pnpm, not npm",
        "PostgreSQL only, no ORM",
        "All dates must be UTC",
        "Commit messages in English only",
        "Standard library only",
        "Use chi for routing, no ORM.",
        "All amounts are integers in cents.",
        "Run the linter before every commit",
        // German
        "Keine neuen Abhängigkeiten",
        "Nur ein Kernel",
        "MIT-Lizenz",
        "Vor jedem Commit die Tests laufen lassen",
        // French
        "Pas de nouvelles dépendances",
        "Licence MIT",
        "Les commentaires en anglais uniquement",
        // Spanish
        "Sin dependencias nuevas",
        "Licencia MIT",
        "Los comentarios solo en inglés",
        // Portuguese
        "Sem novas dependências",
        "Licença MIT",
        "Comentários apenas em inglês",
        // Italian
        "Nessuna nuova dipendenza",
        "Licenza MIT",
        "Commenti solo in inglese",
        // Russian
        "Без новых зависимостей",
        "Лицензия MIT",
        "Комментарии только на английском",
        // Chinese
        "不要引入新的依赖",
        "使用 MIT 许可证",
        "注释只用英文",
        // Japanese
        "依存パッケージは追加しないで",
        "ライセンスは MIT のみ",
        "コメントは英語のみ",
        // Korean
        "새 의존성 추가하지 마",
        "라이선스는 MIT만 사용",
        "주석은 영어로만",
        // Arabic
        "بدون تبعيات جديدة",
        "رخصة MIT فقط",
        "تعليقات بالإنجليزية فقط",
        // Turkish
        "Yeni bağımlılık ekleme",
        "Sadece MIT lisansı",
        "Yorumlar yalnızca İngilizce",
    ];
    holds(Place::First, &sentences);
    assert_eq!(
        rules(
            "Build a solver.\nRules:\n- state goes into the store\n- small functions",
            Place::First
        ),
        ["state goes into the store", "small functions"]
    );
    assert_eq!(
        rules("Write a CLI that sorts photos. MIT licence, no new dependencies.", Place::First),
        ["MIT licence, no new dependencies."]
    );
}

#[test]
fn corrections_give_a_reason_or_name_a_constraint() {
    holds(
        Place::Correction,
        &[
            "no, we dropped it on purpose",
            "No, use tabs",
            "no, because the API has no such field",
            "No, no new dependencies please",
            "Nein, das ist absichtlich so",
            "Nein, nimm pnpm",
            "non, c'est voulu",
            "Non, utilise pnpm",
            "No, es a propósito",
            "No, usa pnpm",
            "Não, é de propósito",
            "Não, use pnpm",
            "No, è fatto apposta",
            "No, usa pnpm",
            "Нет, это сделано специально",
            "Нет, используй pnpm",
            "不，这是故意的",
            "不，使用 pnpm",
            "いいえ、意図的です",
            "違う、pnpm を使って",
            "아니, 일부러 그런 거야",
            "아니, pnpm 사용해",
            "لا، هذا مقصود",
            "لا، استخدم pnpm",
            "Hayır, bilerek yaptık",
            "Hayır, pnpm kullan",
        ],
    );
    none(
        Place::Correction,
        &[
            "No, that's wrong",
            "no, make this button blue",
            "Nope",
            "No, the other file",
            "no I meant the other test",
            "Nein, der Button soll blau sein",
            "Nein, die andere Datei",
            "non, l'autre fichier",
            "Non, ce bouton en bleu",
            "No, el otro archivo",
            "No, este botón en azul",
            "Não, o outro arquivo",
            "Não, este botão azul",
            "No, l'altro file",
            "No, questo pulsante blu",
            "Нет, другой файл",
            "Нет, эту кнопку синей",
            "不，另一个文件",
            "不，这个按钮用蓝色",
            "いいえ、別のファイルです",
            "違う、このボタンを青に",
            "아니, 다른 파일",
            "아니, 이 버튼을 파란색으로",
            "لا، الملف الآخر",
            "لا، هذا الزر أزرق",
            "Hayır, diğer dosya",
            "Hayır, bu buton mavi olsun",
        ],
    );
}

#[test]
fn requests_reports_and_local_remarks_are_no_rules() {
    let prompts = [
        "Never mind, use the old one.",
        "It always fails on Mondays. Why?",
        "The build never finishes, find out why.",
        "We use tokio 1.30 and the tests hang.",
        "Should we always use tabs from now on?",
        "Don't touch the tests.",
        "This button should always be blue",
        "use a map here",
        "Use a map here, not a list",
        "For now use npm, not pnpm",
        "Skip the tests this time",
        "The README says that we never run the tests and always push.",
        "According to the bot, from now on everybody pushes to main.",
        "bob: from now on everybody pushes to main",
        "Add a test for the parser only",
        "Fix the failing test before Friday",
        "Refactor the API without breaking tests",
        "Rename the config key, not the env var",
        "Make the test fail on purpose and show me the log",
        "I always get a timeout in this test",
        "The tests pass only on Linux, fix that",
        "Why do we only use npm?",
        "it must never be null in this function",
        "we never had this problem before the upgrade",
        "then let's do the migration first and never look back",
        // German
        "Der Test schlägt immer fehl",
        "Dieser Button soll immer blau sein",
        "Vorerst nur npm verwenden",
        "Sollen wir immer Tabs verwenden?",
        "Füge nur einen Test hinzu",
        // French
        "Le test échoue toujours",
        "Ce bouton doit toujours être bleu",
        "Pour l'instant, utilise npm, pas pnpm",
        "Ajoute un test seulement pour le parseur",
        // Spanish
        "La prueba siempre falla",
        "Este botón siempre debe ser azul",
        "Por ahora usa npm, no pnpm",
        "Añade una prueba solo para el parser",
        // Portuguese
        "O teste sempre falha",
        "Este botão deve ser sempre azul",
        "Por enquanto use npm, não pnpm",
        "Adicione um teste apenas para o parser",
        // Italian
        "Il test fallisce sempre",
        "Questo pulsante deve essere sempre blu",
        "Per ora usa npm, non pnpm",
        "Aggiungi un test solo per il parser",
        // Russian
        "Тест всегда падает",
        "Эта кнопка всегда должна быть синей",
        "Пока используй npm, а не pnpm",
        "Добавь тест только для парсера",
        // Chinese
        "测试总是失败",
        "这个按钮必须始终是蓝色",
        "这次先用 npm，不要用 pnpm",
        "只给解析器添加一个测试",
        // Japanese
        "テストがいつも失敗します",
        "このボタンは常に青にして",
        "今回は npm を使って、pnpm ではなく",
        "パーサーだけにテストを追加して",
        // Korean
        "테스트가 항상 실패해요",
        "이 버튼은 항상 파란색이어야 해",
        "이번에는 pnpm 말고 npm 사용해",
        "파서에만 테스트를 추가해줘",
        // Arabic
        "الاختبار يفشل دائما",
        "هذا الزر يجب أن يكون أزرق دائما",
        "استخدم npm هذه المرة",
        "أضف اختبارا للمحلل فقط",
        // Turkish
        "Test her zaman hata veriyor",
        "Bu buton her zaman mavi olmalı",
        "Şimdilik npm kullan, pnpm değil",
        "Sadece ayrıştırıcı için test ekle",
    ];
    none(Place::First, &prompts);
    none(Place::Later, &prompts);
    // Plain words in a later prompt are a request.
    none(
        Place::Later,
        &["No new tests.", "One kernel only.", "merge directly", "Deploy with Ansible"],
    );
    none(
        Place::Later,
        &[
            "no new errors",
            "Please remove the old cache tables and the nightly jobs, but never the one of billing",
        ],
    );
    holds(Place::Later, &["use pnpm, not npm", "drop Ansible, use Nix", "no new deps"]);
    holds(Place::Remark, &["One kernel only.", "use pnpm, not npm", "Never push to main"]);
}

#[test]
fn constraints_in_plain_words_hold_in_a_first_prompt() {
    let sentences = [
        // A version that must not fall.
        "mínimo Android 10, no lo subas",
        // A team of one, and the place of files.
        "Merge directly to main, nobody else works here",
        "commits directos a main, aquí trabajo solo yo",
        "weights only in /data/weights, the home is full",
        "веса только в /data/weights, дома нет места",
        // One per another.
        "one branch per ticket, one commit per PR",
        "ブランチは fix/番号、1 チケット 1 コミット",
    ];
    holds(Place::First, &sentences);
    none(
        Place::First,
        &[
            "Search everywhere for the string",
            "Rename the package everywhere, the tests too",
            "Keep the view model",
            "please fix it, not by changing the test",
            "bitte reparieren, nicht am Test drehen",
            "only merge the branches of this week then",
            "Fix the login, the tests must pass",
            "It crashes on start, only on iOS 17",
            "Safari only shows a blank page",
            "The import fails, we use only UTF-8",
        ],
    );
}

#[test]
fn prohibitions_hold_in_any_prompt() {
    let sentences = [
        "you must not change the public interface",
        "do not touch the production database",
        "we no longer use sensor 4",
        "Du darfst das Schema nicht ändern, du darfst nicht migrieren",
        "Die Produktion nicht anfassen",
        "Sensor 4 verwenden wir nicht mehr",
        "Tu ne dois pas changer l'interface",
        "Ne touche pas à la base de production",
        "On n'utilise plus le capteur 4",
        "No debes cambiar la interfaz",
        "La base de producción no se toca",
        "Ya no usamos el sensor 4",
        "Você não deve mudar a interface",
        "Não mexa no banco de produção",
        "Não usamos mais o sensor 4",
        "Non devi cambiare l'interfaccia",
        "Il database di produzione NON si tocca",
        "Non usiamo più il sensore 4",
        "Публичный интерфейс нельзя менять",
        "Базу на проде не трогать",
        "датчик 4 больше не используем",
        "公共接口不能改",
        "不要动生产环境的数据",
        "传感器 4 不再使用",
        "公開 API は変更しないこと",
        "本番の DB には触らないで",
        "センサー 4 はもう使わない",
        "공개 API는 변경하면 안 돼",
        "운영 DB는 건드리지 마",
        "센서 4는 더 이상 사용하지 않아",
        "لا يجوز تغيير الواجهة العامة",
        "لا تلمس قاعدة بيانات الإنتاج",
        "لم نعد نستخدم الحساس 4",
        "Genel arayüzü değiştirmemelisin",
        "Canlı veritabanına dokunma",
        "4 numaralı sensörü artık kullanmıyoruz",
    ];
    holds(Place::First, &sentences);
    holds(Place::Later, &sentences);
    let none_of = [
        "you must not change this line",
        "Users must never see raw errors",
        "Users should always be able to undo",
        "Benutzer müssen immer abbrechen können",
        "Les utilisateurs doivent toujours pouvoir annuler",
        "Los usuarios siempre deben poder deshacer",
        "Os usuários devem sempre poder desfazer",
        "Gli utenti devono sempre poter annullare",
        "Пользователи всегда должны иметь отмену",
        "用户必须始终可以撤销",
        "ユーザーは常に元に戻せること",
        "사용자는 항상 취소할 수 있어야 해",
        "يجب أن يتمكن المستخدم دائما من التراجع",
        "Kullanıcılar her zaman geri alabilmeli",
        "Don't touch chapter 3, it is with the reviewer",
        "the header, we don't see it on phones",
    ];
    none(Place::First, &none_of);
    none(Place::Later, &none_of);
}

#[test]
fn a_property_has_no_verb() {
    let is = |sentence: &&&str| !is_property(sentence);
    let sentences = [
        "Dark theme.",
        "German labels",
        "Deutsche Beschriftungen",
        "Thème sombre",
        "Etiquetas en español",
        "Tema escuro",
        "Tema scuro",
        "Тёмная тема",
        "深色主题",
        "ダークテーマ",
        "다크 테마",
        "الوضع الداكن",
        "Koyu tema",
    ];
    let missed: Vec<_> = sentences.iter().filter(is).collect();
    assert!(missed.is_empty(), "{missed:#?}");
    for sentence in ["Add a dark theme", "Is it in German?", "this English label", "Next step"] {
        assert!(!is_property(sentence), "{sentence}");
    }
}

/// Sentences of labelled sessions, whose authors had not seen the rules.
#[test]
fn directives_hold_in_the_midst_of_a_prompt() {
    holds(
        Place::Later,
        &[
            "by the way dates are always UTC in this warehouse, never convert to local time anywhere, we got burned.",
            "oh and never run full-refresh against prod without asking me first, that table costs 90 euro a rebuild",
            "and no analytics, no crash reporting, no trackers of any kind, volunteers voted on that.",
            "dont commit red stuff, ever",
            "saves must stay readable by every later version btw, people will hate me otherwise",
            "no stealing, keep it simple.",
        ],
    );
    none(
        Place::Later,
        &[
            "no problem",
            "no rush, take your time",
            "no idea why it does that",
            "no errors in the log, but the page is blank",
            "rename it everywhere",
            "it must be one of the two",
        ],
    );
}

#[test]
fn an_order_to_wait_holds_if_its_reason_follows() {
    let hold = |text: &str| read(text).iter().map(|said| rule(said, Place::Later)).next();
    for text in [
        "careful: don't drop the old column yet, billing-export still reads it",
        "Ne supprime pas encore la colonne, l'export la lit",
    ] {
        assert_eq!(hold(text), Some(Some(Kind::Said)), "{text}");
    }
    for text in ["don't push it yet", "the README says: don't use it yet, it is slow"] {
        assert_eq!(hold(text), Some(None), "{text}");
    }
}
