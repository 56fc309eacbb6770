//! Steps and questions of whole messages, in every language.

use super::message::Message;
use crate::memory::{Evidence, Plan, StepKind, Task, TaskState};
use StepKind::{FollowUp, ForUser, Stated};

fn worked() -> Evidence {
    Evidence { tool_uses: 3, ..Evidence::default() }
}

fn steps(text: &str) -> Vec<(StepKind, String)> {
    let steps = Message::read(text).next(&worked());
    steps.into_iter().map(|step| (step.kind, step.text)).collect()
}

fn check(text: &str, want: &[(StepKind, &str)]) {
    let steps = steps(text);
    let got: Vec<(StepKind, &str)> = steps.iter().map(|(k, t)| (*k, t.as_str())).collect();
    assert_eq!(got, want, "{text}");
}

#[test]
fn a_heading_announces_steps() {
    check(
        "Fixed it.\n\n### Next steps\n\n1. Wire the CLI\n2. **Docs**: describe the gate",
        &[(Stated, "Wire the CLI"), (Stated, "Docs: describe the gate")],
    );
    check("Done.\n\n**Next:** wire the CLI.", &[(Stated, "wire the CLI.")]);
    check("Done.\n\nStill open:\n- [x] tests\n- [ ] docs", &[(Stated, "docs")]);
    check("Done.\n\nLeft:\n- drop the old table", &[(Stated, "drop the old table")]);
    check("Done.\n\nOpen: the docs.", &[(Stated, "the docs.")]);
    check("## On your side\n- Open: renew `API_KEY`", &[(ForUser, "renew `API_KEY`")]);
    check("## Remaining work\nNone.", &[]);
    check("## Next steps\n- Want me to add a flag?\n- If you want, I can add docs.", &[]);
    check(
        "## Before you deploy\n- Set `TOKEN`\n- Run `make migrate`",
        &[(ForUser, "Set `TOKEN`"), (ForUser, "Run `make migrate`")],
    );
    check("## Next up\n- Phase 3: the importer", &[(FollowUp, "Phase 3: the importer")]);
}

#[test]
fn an_ending_may_leave_something_to_the_user() {
    for text in [
        "Set `NPM_TOKEN` in the repository's secrets.",
        "You'll need to install `jq` on the server.",
        "Before the first deploy, run `npx prisma migrate deploy`.",
        "Make sure to set SENTRY_DSN in production.",
        "Don't forget to verify `ops@example.com` in the SES console.",
        "Then run `git push`.",
        "`jq` is missing here, so install it with `apt install jq`.",
        "The secret `API_KEY` still needs to be set on Fly.",
        "Once it is merged, restart the `worker` service.",
        "Please rotate the key in `.env`.",
    ] {
        check(&format!("I added the workflow. It has two jobs.\n\n{text}"), &[(ForUser, text)]);
    }
    check(
        "Added the workflow.\n\nYou need to set these secrets:\n- `NPM_TOKEN`\n- `SENTRY_DSN`",
        &[
            (ForUser, "You need to set these secrets: `NPM_TOKEN`"),
            (ForUser, "You need to set these secrets: `SENTRY_DSN`"),
        ],
    );
    check(
        "All set. Run this on the server:\n```sh\nmake migrate\n```",
        &[(ForUser, "Run this on the server: `make migrate`")],
    );
}

#[test]
fn what_is_said_to_be_left_is_a_step() {
    for text in [
        "The migration hasn't been run yet.",
        "The loader doesn't read the new format yet: `load.rs` has to look for `v2`.",
        "I did not touch `report.rs`, which has the same bug.",
        "`billing` still has no tests, those I left out.",
        "The next step is to wire the CLI.",
        "The importer is not yet implemented.",
    ] {
        check(&format!("I added the gate.\n\n{text}"), &[(Stated, text)]);
    }
}

#[test]
fn an_order_in_an_answer_is_the_answer() {
    let read = Evidence { tool_uses: 2, ..Evidence::default() };
    let kinds = |request: &str, text: &str| -> Vec<String> {
        let message = Message::read(text).to(request);
        message.next(&read).into_iter().map(|step| step.text).collect()
    };
    let set = "Set `TEST_DSN` and run the tests with the tag.";
    assert_eq!(kinds("How do I run the tests against a real database?", set), [""; 0]);
    assert_eq!(kinds("how do i run the tests against a database", set), [""; 0]);
    assert_eq!(kinds("Look into the failing upload", set), [set]);
    let left = "Two things:\n\n- the rollback command\n- a progress bar";
    assert_eq!(
        kinds("what is left to do on the importer?", left),
        ["the rollback command", "a progress bar"]
    );
}

#[test]
fn a_step_is_one_statement_without_the_answer_before_it() {
    check(
        "Added it.\n\nThe cart isn't saved yet, and the empty state has no test.",
        &[(Stated, "The cart isn't saved yet"), (Stated, "the empty state has no test.")],
    );
    check("Added it.\n\nYes: I did not touch the docs.", &[(Stated, "I did not touch the docs.")]);
}

#[test]
fn a_step_of_pronouns_is_told_with_the_sentence_before() {
    let links = "Symlinks werden verfolgt, eine Schleife würde den Stack sprengen.";
    let step = format!("{links} Das ist noch offen.");
    check(&format!("`scan` läuft jetzt rekursiv. {step}"), &[(Stated, &step)]);
    check("Fixed it. The docs are still open.", &[(Stated, "The docs are still open.")]);
    let chromium = "I couldn't run the visual tests because Chromium isn't installed here.";
    check(&format!("Fixed it. {chromium}"), &[(Stated, chromium)]);
}

#[test]
fn what_is_left_in_other_languages() {
    for text in [
        "Es fehlt noch die Doku.",
        "Den Rest in `konto.py` habe ich nicht angefasst.",
        "`druck.py` kennt das neue Format noch nicht.",
        "Der nächste Schritt ist die CLI.",
        "Il reste à documenter l'API.",
        "Ce n'est pas encore déployé, il reste à le faire.",
        "La prochaine étape est la CLI.",
        "Je n'ai pas touché à `print.py`.",
        "`print.py` todavía no conoce el formato.",
        "Não mexi em `print.py`.",
        "Non ho toccato `print.py`.",
        "لم أنفذ `make migrate`.",
        "Falta configurar el DNS.",
        "El siguiente paso es la CLI.",
        "Queda pendiente la documentación.",
        "Falta só configurar o DNS.",
        "O próximo passo é a CLI.",
        "Ainda falta a documentação.",
        "Manca ancora la documentazione.",
        "Il prossimo passo è la CLI.",
        "Resta da aggiornare la CLI.",
        "Осталось обновить документацию.",
        "Следующий шаг: документация.",
        "`print.py` пока не знает новый формат.",
        "还需要补充文档。",
        "`print.py` 还没支持新格式。",
        "剩下的是文档。",
        "残りはドキュメントです。",
        "`print.py` は未対応です。",
        "CLI は未着手です。",
        "남은 것은 문서입니다.",
        "`print.py` 는 건드리지 않았습니다.",
        "다음 작업은 CLI입니다.",
        "يتبقى تحديث التوثيق.",
        "لم يتم بعد نشر التغييرات.",
        "الخطوة التالية هي الواجهة.",
        "Geriye belgeler kaldı.",
        "`print.py` dosyasına dokunmadım.",
        "Sonraki adım CLI olacak.",
    ] {
        let steps = steps(&format!("OK.\n\n{text}"));
        assert_eq!(steps.len(), 1, "{text}: {steps:?}");
    }
}

#[test]
fn work_that_is_not_pushed_is_a_state_and_no_step() {
    for text in [
        "Committed as 1a2b3c4, not pushed.",
        "Committed on `feat/gate`, not pushed yet.",
        "Not committed yet.",
        "Noch nicht gepusht.",
        "更改尚未推送。",
        "まだプッシュしていません。",
        "아직 푸시하지 않았습니다.",
        "Henüz push edilmedi.",
        "Изменения ещё не запушены.",
    ] {
        let message = Message::read(&format!("I added the gate.\n\n{text}"));
        assert_eq!(message.next(&worked()), [], "{text}");
        assert!(!message.body_beyond(&worked(), &[]).is_empty(), "{text}");
    }
    check(
        "I added it.\n\nNot pushed: you have to run `git push`.",
        &[(ForUser, "Not pushed: you have to run `git push`.")],
    );
}

#[test]
fn a_deed_without_a_doer_is_left_to_the_user() {
    for text in [
        "The sender post@acme.example must also be verified at the mail provider.",
        "The hook has to be stored as connection `chat_ops`; until then it only logs.",
        "Then `git push` and `make release` should be all it takes.",
        "Im Dashboard muss `STRIPE_KEY` noch hinterlegt werden.",
        "Le secret `API_KEY` doit encore être renouvelé.",
        "El certificado de `api.acme` debe ser renovado.",
        "A chave `API_KEY` precisa ser rotacionada.",
        "La chiave `API_KEY` deve ancora essere ruotata.",
        "На сервере нужно ещё перезапустить `worker`.",
        "`API_KEY` 需要在控制台轮换。",
        "عليك تشغيل `make ios` من جهازك.",
        "البناء غير ممكن هنا، فعليك تشغيل `make ios` من جهازك.",
        "وأرجو أن تتأكد من العنوان `post@acme.example`.",
        "Den Eintrag `meier99` müsstest du noch prüfen.",
        "`API_KEY` panelde yenilenmeli.",
    ] {
        check(&format!("OK.\n\n{text}"), &[(ForUser, text)]);
    }
    check(
        "The history keeps the key, so the key has to be rotated. I can't do that from here.",
        &[(ForUser, "The history keeps the key, so the key has to be rotated.")],
    );
    for text in [
        "The key has to be sorted.",
        "The rows must be unique in `a.sql`.",
        "I left out `a.rs`, as you asked.",
        "Commit `1a2b3c4`, tests are green.",
    ] {
        check(&format!("I fixed the guard.\n\n{text}"), &[]);
    }
}

#[test]
fn what_stands_ready_follows() {
    for text in [
        "Next up: Phase 3, the importer.",
        "The plan is ready for `/plan-next`.",
        "Ticket 014 is next.",
        "Ready to start Milestone 2.",
        "We can continue with step 4 of `PLAN.md`.",
        "The next ticket is `AUTH-12`.",
        "AUTH-13 (roles) is tomorrow's.",
    ] {
        let steps = steps(&format!("Phase 2 is complete and committed.\n\n{text}"));
        assert_eq!(steps.len(), 1, "{text}: {steps:?}");
        assert_eq!(steps[0].0, FollowUp, "{text}");
    }
}

#[test]
fn steps_stand_in_the_midst_of_a_paragraph() {
    check(
        "The domain is verified. Remaining: confirm the sender `ops@acme.io`.",
        &[(Stated, "confirm the sender `ops@acme.io`.")],
    );
    check("- **Phase 1** ✅ parser\n- **Phase 2** ⏳ printer", &[(Stated, "Phase 2 ⏳ printer")]);
    check(
        "It is written. To apply it:\n```\nmake migrate\n```",
        &[(ForUser, "To apply it: `make migrate`")],
    );
}

#[test]
fn offers_conditions_and_descriptions_are_no_steps() {
    for text in [
        "Next attempt waits 2 s.",
        "The next request is retried.",
        "You can now run `make demo`.",
        "If it still fails, run `make clean`.",
        "If you want to see it, run `make demo`.",
        "Run `make demo` to try it.",
        "Want me to add a `--force` flag?",
        "Let me know if you'd like me to run `make release`.",
        "Let me know if you need anything else.",
        "The job runs `make db` before it starts.",
        "Feel free to tweak `config.toml`.",
        "The branch is ready for review.",
        "It calls `close()` next.",
        "Test coverage of `a.rs` is 80 %.",
        "You must call `init()` before `run()`.",
        "Please note that `config.toml` is read first.",
        "Bitte beachte, dass `config.toml` zuerst gelesen wird.",
        "The parser still needs two passes.",
        "It shows \"Pending: waiting for review\".",
    ] {
        check(&format!("I fixed the guard.\n\n{text}"), &[]);
    }
    // An answer without work explains.
    let answer = Message::read("Run `make db`. Then open `psql`.");
    assert_eq!(answer.next(&Evidence::default()), []);
    // Far from the end.
    let far = format!("You need to set `A`.\n\n{}", "It works like this.\n\n".repeat(12));
    check(&far, &[]);
    check("> You need to set `A`.", &[]);
    check("## Usage\nRun `make demo`.", &[]);
    check("I did this:\n- Add `--force` to the CLI\n- Set `A` in the tests", &[]);
}

#[test]
fn steps_are_left_to_the_user_in_other_languages() {
    let endings = [
        "Du musst noch `API_KEY` in den Secrets setzen.",
        "Bitte führe `make migrate` aus.",
        "Vergiss nicht, `jq` zu installieren.",
        "Bevor du deployst, setze `TOKEN`.",
        "Vous devez définir `API_KEY` dans les secrets.",
        "N'oubliez pas de lancer `make migrate`.",
        "Avant de déployer, exécutez `make migrate`.",
        "Tienes que configurar `API_KEY` en los secretos.",
        "No olvides ejecutar `make migrate`.",
        "Antes de desplegar, ejecuta `make migrate`.",
        "Você precisa definir `API_KEY` nos segredos.",
        "Não esqueça de rodar `make migrate`.",
        "Antes do deploy, execute `make migrate`.",
        "Devi impostare `API_KEY` nei secret.",
        "Ricordati di eseguire `make migrate`.",
        "Prima del deploy, esegui `make migrate`.",
        "Вам нужно задать `API_KEY` в секретах.",
        "Не забудьте выполнить `make migrate`.",
        "Перед деплоем запустите `make migrate`.",
        "你需要在仓库中设置 `API_KEY`。",
        "请运行 `make migrate`。",
        "部署前，记得安装 `jq`。",
        "デプロイ前に `make migrate` を実行してください。",
        "`API_KEY` を設定する必要があります。",
        "`jq` のインストールをお願いします。",
        "배포 전에 `make migrate` 를 실행하세요.",
        "`API_KEY` 를 설정해야 합니다.",
        "`jq` 를 설치해 주세요.",
        "يجب عليك تعيين `API_KEY` في الأسرار.",
        "لا تنس تشغيل `make migrate`.",
        "يرجى تثبيت `jq` على الخادم.",
        "`API_KEY` değerini ayarlamanız gerekiyor.",
        "`make migrate` komutunu çalıştırmayı unutmayın.",
        "Lütfen sunucuya `jq` kurun.",
    ];
    for text in endings {
        check(&format!("OK.\n\n{text}"), &[(ForUser, text)]);
    }
}

#[test]
fn what_stands_ready_in_other_languages() {
    for text in [
        "Als Nächstes kommt Phase 3.",
        "Weiter mit Ticket 14.",
        "Prochaine phase : étape 3.",
        "Listo para la fase 3.",
        "Pronto para a fase 3.",
        "La prossima è la fase 3.",
        "Следующий этап 3.",
        "可以开始阶段3。",
        "次はフェーズ3です。",
        "다음은 3단계입니다.",
        "التالي هو المرحلة 3.",
        "Sırada aşama 3 var.",
    ] {
        let steps = steps(&format!("OK.\n\n{text}"));
        assert!(steps.iter().any(|(kind, _)| *kind == FollowUp), "{text}: {steps:?}");
    }
}

#[test]
fn offers_in_other_languages_are_asked() {
    for text in [
        "Soll ich `--force` hinzufügen?",
        "Sag Bescheid, wenn ich `make` ausführen soll.",
        "Voulez-vous que j'ajoute `--force` ?",
        "Dites-moi si je dois lancer `make`.",
        "¿Quieres que añada `--force`?",
        "Quer que eu adicione `--force`?",
        "Vuoi che aggiunga `--force`?",
        "Хотите, чтобы я добавил `--force`?",
        "要不要我添加 `--force`？",
        "`--force` を追加しましょうか？",
        "`--force` 를 추가할까요?",
        "هل تريد أن أضيف `--force`؟",
        "`--force` eklememi ister misiniz?",
    ] {
        let message = Message::read(&format!("OK.\n\n{text}"));
        assert_eq!(message.next(&worked()), [], "{text}");
        assert_eq!(message.asked().map(|asked| asked.text), Some(text.to_owned()));
    }
}

#[test]
fn the_closing_question_is_asked_with_its_options() {
    let asked = |text: &str| {
        let asked = Message::read(text).asked().expect("a question");
        (asked.text, asked.options)
    };
    assert_eq!(asked("Fixed. Shall I add a flag?"), ("Shall I add a flag?".into(), vec![]));
    let options = vec!["Keep it".to_owned(), "Drop it".to_owned(), "Both".to_owned()];
    let list = "1. Keep it\n2. Drop it\n3. Both";
    assert_eq!(
        asked(&format!("There are three ways:\n\n{list}\n\nWhich do you prefer?")),
        ("Which do you prefer?".into(), options.clone())
    );
    assert_eq!(
        asked(&format!("The cache is stale. Which one?\n\n{list}")),
        ("The cache is stale. Which one?".into(), options.clone())
    );
    assert_eq!(asked(&format!("Would you like me to:\n{list}")).1, options);
    assert_eq!(
        asked(&format!("## Options\n{list}\n\n## Status\nOK. Your call: proceed?")).1,
        options
    );
    let headings = "### Option A: keep it\nSimple.\n\n### Option B: drop it\nFast.\n\nWhich?";
    assert_eq!(asked(headings).1, ["Option A: keep it", "Option B: drop it"]);
    let fence = "```\n[A] keep it\n[B] drop it\n```\nWhich do you want?";
    assert_eq!(asked(fence).1, ["keep it", "drop it"]);
    let message = Message::read(&format!("Two ways:\n\n{list}\n\nWhich do you prefer?"));
    assert_eq!(message.body(), []);
    assert_eq!(Message::read("Fixed. Let me know if you have any questions!").asked(), None);
    let idea = Message::read("It is fast. You could also cache it later. Want me to try that?");
    assert_eq!(idea.asked(), None);
    assert_eq!(idea.body()[0].lines, ["It is fast."]);
    assert_eq!(
        asked("The old flag is gone. Shall I do that for `b`, too?").0,
        "Shall I do that for `b`, too?"
    );
    assert_eq!(Message::read("Why? Because it leaks. So it goes. The end. It is.").asked(), None);
}

#[test]
fn open_tasks_and_plans_that_were_not_begun_are_steps() {
    let task = |text: &str, state| Task { id: text.into(), text: text.into(), state };
    let mut evidence = worked();
    evidence.tasks = vec![
        task("Write the parser", TaskState::Done),
        task("Write the printer", TaskState::Started),
        task("Wire the CLI", TaskState::Open),
        task("Old idea", TaskState::Dropped),
    ];
    let kinds = |message: &str, evidence: &Evidence| -> Vec<String> {
        Message::read(message).next(evidence).into_iter().map(|step| step.text).collect()
    };
    assert_eq!(kinds("", &evidence), ["Write the printer", "Wire the CLI"]);
    // Said and listed.
    let said = "## Next steps\n- Wire the CLI in `main.rs`";
    assert_eq!(kinds(said, &evidence), ["Wire the CLI in `main.rs`", "Write the printer"]);
    // The last item is often left as started.
    evidence.tasks.truncate(2);
    evidence.commits = vec![Default::default()];
    assert_eq!(kinds("The printer is done.", &evidence), [] as [&str; 0]);
    assert_eq!(kinds("", &evidence), ["Write the printer"]);
    let plan = |approved, begun| Plan {
        steps: vec!["Add the table".into()],
        approved,
        begun,
        ..Plan::default()
    };
    evidence.tasks.clear();
    evidence.plans = vec![plan(true, true), plan(false, false)];
    assert_eq!(kinds("OK.", &evidence), [] as [&str; 0]);
    evidence.plans.push(plan(true, false));
    let step = &Message::read("OK.").next(&evidence)[0];
    assert_eq!((step.kind, step.text.as_str()), (StepKind::Plan, "Add the table"));
}

proptest::proptest! {
    #[test]
    fn any_text(text in r"[-#*>|`:.?!0-9a-z，。é \n]{0,300}") {
        let message = Message::read(&text);
        message.next(&worked());
        message.body();
    }
}

#[test]
fn endings_tell_what_is_left() {
    let left = r#"What remains for you: create the bucket `acme-backups` and grant the role write access.
You'll want to bump `replicas` in `values.yaml` once the node pool is up.
The webhook secret isn't in the vault yet; I used a placeholder in `config/prod.yml`.
`DATABASE_URL` is still a placeholder.
I haven't enabled the cron job: that takes a `kubectl apply -f cron.yaml` with admin rights.
Deployment is yours: `make deploy ENV=prod`.
One thing I couldn't do: the DNS record for `api.acme.dev` has to point to the new load balancer.
For it to take effect, the nginx on `web1` must be reloaded.
It takes effect after `systemctl restart worker`.
The old table `events_v1` can be dropped once the backfill is through.
Someone with admin rights has to approve the app in Entra.
The release still needs a tag: `git tag v2.1 && git push --tags`.
Not covered: refunds with partial amounts in `refund.ts`.
The French texts in `fr.json` are machine translated and want a review.
Open: whether `retry_max` should be 3 or 5.
TODO: the Windows build of `ffi.c`.
To go live: merge the PR, then run `terraform apply`.
What's missing is the migration for `users.email`.
Tomorrow I'd continue with `importer.rs`.
I stopped before the last part: `importer.rs` still reads the old format.
Two of the five screens are done; `Settings` and `Profile` are left.
The key in `.env.example` is a dummy, put the real one in.
It will only work after you have set `SMTP_HOST`.
Without `SENTRY_DSN` in the environment nothing is reported, so add it on the server.
The remaining three endpoints (`/a`, `/b`, `/c`) are still on the old client.
I need the password for `db-prod` to go on.
Waiting for the certificate of `mail.acme.dev`.
Please have a look at `schema.sql` before merging.
PR #12 is open and waits for your review.
The PR is up as a draft (#88); mark it ready when staging looks good.
The password has to be changed by you in the admin panel.
Das Secret `API_KEY` fehlt noch in den Repository-Einstellungen.
Auf dem Server muss noch `systemctl restart app` laufen.
Damit es greift, musst du einmal `npm ci` ausführen.
Was ich nicht machen konnte: den DNS-Eintrag für `api.acme.de` umstellen.
Die Migration `0042` habe ich nicht ausgeführt, das machst du am besten selbst.
Offen bleibt der Export in `export.py`.
Den Rest (`druck.py`) mache ich beim nächsten Mal.
Bleibt noch, die alte Tabelle `foo_alt` zu löschen.
`SMTP_HOST` ist noch ein Platzhalter.
Jetzt fehlt nur noch das Deployment: `make deploy`.
Il manque encore la clé `API_KEY` dans les secrets.
Reste à votre charge : `make deploy`.
Pour que ce soit pris en compte, il faudra relancer `nginx`.
`SMTP_HOST` est encore un placeholder.
La migration `0042` n'a pas été lancée.
À faire de ton côté : créer le bucket `acme`.
Falta que des de alta el dominio `acme.dev` en Postmark.
La migración `0042` no la ejecuté en producción.
Para publicarlo tienes que ejecutar `make deploy`.
`SMTP_HOST` sigue siendo un valor de ejemplo.
Solo queda ejecutar `make deploy`.
Eso te toca a vos: subir el build desde `Xcode`.
Habría que rotar la clave `API_KEY`.
Falta cadastrar `API_KEY` no painel.
A migração `0042` ainda não rodou em produção.
Depois é só rodar `make deploy`.
Você vai ter que criar o bucket `acme`.
O `SMTP_HOST` ainda é um valor de exemplo.
Quem tem acesso precisa liberar a porta no `fw1`.
Resta da lanciare `make deploy` sul server.
La migrazione `0042` non è stata eseguita.
Ti tocca creare il bucket `acme`.
Va ancora aggiunta la chiave `API_KEY`.
Per pubblicare basta poi eseguire `make deploy`.
Осталось выполнить `make deploy` на сервере.
Миграцию `0042` я не запускал.
Ключ `API_KEY` нужно будет добавить в секреты.
Чтобы заработало, перезапустите `nginx`.
В `config.yml` пока стоит заглушка.
С вашей стороны нужен доступ к `db-prod`.
上线前需要执行 `make deploy`。
`API_KEY` 还是占位符，请替换成真实的值。
迁移 `0042` 还没有在生产环境执行。
你还得在控制台开通 `ocr` 服务。
剩下 `export.py` 还没改。
记得重启 `nginx`。
本番への適用は `make deploy` でお願いします。
`API_KEY` は仮の値なので、差し替えてください。
マイグレーション `0042` は本番では未実行です。
`nginx` の再起動が必要です。
`export.py` は次回対応します。
ステージングで一度 `make smoke` を実行して確認いただいてから ready にしてください。
`API_KEY` 는 직접 등록하셔야 합니다.
운영 서버에서 `make deploy` 를 실행해 주세요.
`export.py` 는 아직 수정하지 않았습니다.
`nginx` 재시작이 필요합니다.
`SMTP_HOST` 값은 임시값이니 바꿔 주세요.
يبقى أن تشغل `make deploy` على الخادم.
لم أشغل الترحيل `0042` على الإنتاج.
ستحتاج أيضا إلى إضافة `API_KEY` في الإعدادات.
لا بد من إعادة تشغيل `nginx`.
القيمة في `config.yml` مؤقتة، استبدلها بالقيمة الحقيقية.
`API_KEY` değerini panelden girmeniz gerekiyor.
`0042` migrasyonunu canlıda çalıştırmadım.
Canlıya almak için `make deploy` çalıştırmanız yeterli.
`export.py` henüz güncellenmedi.
`nginx` yeniden başlatılmalı.
Planda sırada **Aşama 3: ses** var."#;
    let nothing = r#"The job now retries, and `API_KEY` is read from the environment.
It does not need `jq` any more.
Rows that must be checked are listed in `a.sql`.
`load()` has to be called after `init()`.
No changes in `api.ts` were needed.
`a.rs` is unchanged.
The old flag `--x` still works.
The bug was that `b.py` had not been updated yet.
Now it needs `node` 20.
The test waits until `done` is set.
Ahora `a.py` no necesita `b`.
`a.py` не меняется.
The tests in `a.rs` were not run before, now they are.
Jetzt wird `a.py` nicht mehr gebraucht.
Il ne faut plus `jq`.
`config.yml` 不需要修改。
`a.py` の変更は不要です。
`a.py` 는 수정할 필요가 없습니다.
No hace falta tocar `a.py`."#;
    let ends = |text: &str| steps(&format!("I added the gate. It has two jobs.\n\n{text}"));
    for text in left.lines() {
        assert_eq!(ends(text).len(), 1, "{text}");
    }
    for text in nothing.lines() {
        assert_eq!(ends(text), [], "{text}");
    }
}
