//! Composed turns of other trades and tongues (`tests/data/agent`): a notebook, a rebase, a cluster,
//! an audit, Japanese. What a colleague would want to know the next morning, and what he would not.

use super::sessions::check;

#[test]
fn a_notebook_whose_figure_fell() {
    check(
        "notebook-auc",
        &[
            "[change] Changed cell 7 of `notebooks/churn.ipynb` to derive tenure from the contract dates",
            "modified: notebooks/churn.ipynb",
            "learned: The March export changed the column name from `tenure` to `tenure_months` only for",
            "completed: I changed cell 7 of `notebooks/churn.ipynb` to derive tenure from the contract dates where it's missing. Mean AUC is back at 0.845 (was 0.712).",
            "next_steps: Tell the data team about the renamed column. Add a schema check to `scripts/load.py`",
        ],
        &["Found it", "| 0 |", "fold", "🎯"],
    );
}

#[test]
fn what_the_user_rules_out_and_has_to_decide() {
    check(
        "notebook-schema",
        &[
            "[feature] load: validate the schema, never impute silently",
            "- Commit 4be1d22 on main",
            "- Solved on the way in tests/test_load.py: `pytest` failed with pandera.errors.SchemaError: column 'tenure_months' not in dataframe",
            "- pytest: 14 passed",
            "[decision] We never impute silently, please: a missing feature must raise (user, #1)",
            "completed: `scripts/load.py` now validates every parquet file against a pandera schema",
            "next_steps: `data/february.parquet` has 5.8% NaN in `region`, so loading it raises now",
        ],
        &["1 failed, 1 passed", "failed with 1"],
    );
}

#[test]
fn a_rebase_that_was_stuck() {
    check(
        "rebase-conflict",
        &[
            "[bugfix] Your rebase is finished and all three commits are still there",
            "- Solved on the way in src/index.ts: `tsc` failed with src/index.ts(4,10): error TS2308",
            "- npm test: 88 passed",
            "- Pushed feature/cache to github.com:acme/shop.git",
            "learned: The conflict was that main moved the LRU code into `src/lru.ts`",
            "completed: Your rebase is finished and all three commits are still there: `cache: evict by size`, `cache: ttl`, `cache: metrics`.",
        ],
        &["Solution: I pushed", "<<<<<<<", "[change]"],
    );
}

#[test]
fn a_rollout_that_failed_first() {
    check(
        "redis-rollout",
        &[
            "[change] Redis 7.4.1 with TLS runs in staging (Helm revision 14), prod is untouched (tool, #1)",
            "- Solved on the way in deploy/redis/templates/statefulset.yaml: `helm upgrade` failed with Error: UPGRADE FAILED",
            "modified: deploy/redis/values-staging.yaml deploy/redis/templates/statefulset.yaml",
            "[discovery] Looked up https://status.internal.example/redis-staging (web, #1)",
            "completed: Redis 7.4.1 with TLS runs in staging (Helm revision 14), prod is untouched. The first upgrade failed: redis runs as uid 1000",
            "next_steps: Before prod you need to switch `REDIS_URL` to `rediss://` in api and worker.",
        ],
        &["[bugfix]", "CrashLoopBackOff", "Happy Helming", "⚠"],
    );
}

#[test]
fn what_a_cut_leaves_is_true() {
    let text = "14 cron jobs run inside the monolith (`src/jobs/index.js`); three of them (`invoice`, \
                `dunning`, `sync-erp`) block the event loop";
    let cut = super::prose::fit(text, 120);
    assert_eq!(cut, "14 cron jobs run inside the monolith (`src/jobs/index.js`); three of them");
}

#[test]
fn an_audit_asks_how_it_works() {
    check(
        "audit-question",
        &[
            "[security_alert] One thing an auditor will flag: the session isn't rotated after login",
            "Creation: a 256-bit random token (`auth/session.go:41`), of which only the SHA-256 is stored",
            "[discovery] Subagent report: Map session code",
            "read: auth/session.go auth/store.go",
            "learned: Creation: a 256-bit random token",
            "next_steps: Asked the user: One thing an auditor will flag",
        ],
        &["Here's how", "Asked the user: Do you want me to?"],
    );
}

#[test]
fn a_login_in_japanese() {
    check(
        "japanese-login",
        &[
            "[bugfix] 認証: パスワード誤りで401を返す",
            "Problem: `rspec` failed (2 passed, 1 failed): NoMethodError: undefined method `id' for nil.",
            "- Commit 1f2e3d4 on main",
            "learned: 原因は、`authenticate` が失敗すると `nil` を返すのに",
            "completed: パスワードを間違えたときに401を返すようになりました。",
            "next_steps: ログイン失敗の回数制限はまだありません。",
        ],
        &["`rspec`: 42 passed", "次のステップ"],
    );
}

#[test]
fn refunds_that_were_counted_twice() {
    check(
        "refund-hunt",
        &[
            "[bugfix] Fixed failing test test_two_items_one_refund",
            "Problem: `pytest` failed in tests/reports/test_refunds.py::test_two_items_one_refund: assert Decimal(\"40.00\") == Decimal(\"20.00\")",
            "- pytest: 9 passed",
            "modified: tests/reports/test_refunds.py reports/sql/refunds.sql",
            "learned: Commit `c0ffee1` (Nov 12) joined `refunds` to order items instead of orders",
            "completed: I found and fixed the double counting.",
            "next_steps: The reports of Nov 12–26 in S3 are still wrong",
        ],
        &["[feature]", "] First tried", "9 passed in 2.1s"],
    );
}

#[test]
fn a_split_without_tests() {
    check(
        "dashboard-split",
        &[
            "[refactor] `Dashboard.tsx` is down from 1,412 to 96 lines",
            "- New: src/dashboard/Header.tsx",
            "completed: `Dashboard.tsx` is down from 1,412 to 96 lines.",
        ],
        &["localhost", "next_steps: Behaviour", "Looked up", "(web"],
    );
}
