//! Tokens of well-known services, after the services' own documentation of their formats.

use super::values::{
    base64, base64_no_padding_of, base64_of, base64url_of, checked, crc32, fill, hex, jwt, uuid,
    word,
};
use crate::support::random::Random;

pub struct Token {
    pub kind: &'static str,
    /// Names of settings that contain such a token.
    pub names: &'static [&'static str],
    form: Form,
    /// Whether its form alone shows what it is. If not, it occurs only beside its name.
    pub is_recognizable: bool,
}

enum Form {
    /// One of these patterns.
    Like(&'static [&'static str]),
    /// Checksums and encoded parts.
    Built(fn(&mut Random) -> String),
}

impl Token {
    pub fn generate(&self, random: &mut Random) -> String {
        match self.form {
            Form::Like(patterns) => {
                let pattern = random.pick(patterns);
                fill(random, pattern)
            }
            Form::Built(build) => build(random),
        }
    }

    /// Whether clients send the token in a header, unlike a webhook, a password or a key of a cipher.
    pub fn is_sent_in_headers(&self) -> bool {
        self.names.iter().any(|name| name.ends_with("TOKEN") || name.ends_with("API_KEY"))
    }
}

type Names = &'static [&'static str];

const fn like(kind: &'static str, names: Names, patterns: &'static [&'static str]) -> Token {
    Token { kind, names, form: Form::Like(patterns), is_recognizable: true }
}

const fn built(kind: &'static str, names: Names, build: fn(&mut Random) -> String) -> Token {
    Token { kind, names, form: Form::Built(build), is_recognizable: true }
}

/// A token that only its name identifies.
const fn named(kind: &'static str, names: Names, patterns: &'static [&'static str]) -> Token {
    Token { kind, names, form: Form::Like(patterns), is_recognizable: false }
}

const fn named_built(kind: &'static str, names: Names, build: fn(&mut Random) -> String) -> Token {
    Token { kind, names, form: Form::Built(build), is_recognizable: false }
}

/// Tokens that their form identifies.
pub const RECOGNIZABLE: &[Token] = &[
    built("github-personal", &["GITHUB_TOKEN", "GH_TOKEN", "GITHUB_PAT"], |r| checked(r, "ghp_")),
    like(
        "github-fine-grained",
        &["GITHUB_TOKEN", "GH_TOKEN"],
        &["github_pat_[0-9A-Z]{22}_[A-Za-z0-9]{59}"],
    ),
    built("github-app", &["GITHUB_TOKEN", "GITHUB_APP_TOKEN"], |r| {
        let prefix = r.pick(&["gho_", "ghu_", "ghs_", "ghr_"]);
        checked(r, prefix)
    }),
    like(
        "gitlab",
        &["GITLAB_TOKEN", "CI_JOB_TOKEN", "GITLAB_PRIVATE_TOKEN"],
        &[
            "glpat-[A-Za-z0-9_-]{20}",
            "gldt-[A-Za-z0-9_-]{20}",
            "glrt-[A-Za-z0-9_-]{20}",
            "glptt-[0-9a-f]{40}",
        ],
    ),
    like(
        "bitbucket",
        &["BITBUCKET_APP_PASSWORD", "BITBUCKET_TOKEN"],
        &["ATBB[A-Za-z0-9]{24}[0-9A-F]{8}"],
    ),
    built("atlassian", &["JIRA_API_TOKEN", "ATLASSIAN_API_TOKEN", "CONFLUENCE_TOKEN"], |r| {
        let body = fill(r, "ATATT3xFfGF0[A-Za-z0-9_-]{171}");
        format!("{body}={:08X}", crc32(body.as_bytes()))
    }),
    like("aws-access-key-id", &["AWS_ACCESS_KEY_ID"], &["AKIA[A-Z2-7]{16}", "ASIA[A-Z2-7]{16}"]),
    like(
        "google-api-key",
        &["GOOGLE_API_KEY", "GEMINI_API_KEY", "MAPS_API_KEY"],
        &["AIza[0-9A-Za-z_-]{35}"],
    ),
    like(
        "google-oauth-client",
        &["GOOGLE_CLIENT_SECRET", "OAUTH_CLIENT_SECRET"],
        &["GOCSPX-[A-Za-z0-9_-]{28}"],
    ),
    like(
        "google-oauth-token",
        &["GOOGLE_ACCESS_TOKEN", "GOOGLE_OAUTH_ACCESS_TOKEN"],
        &["ya29.a0[A-Za-z0-9_-]{150,200}", "ya29.c.b0[A-Za-z0-9_-]{180,220}"],
    ),
    like(
        "azure-client-secret",
        &["AZURE_CLIENT_SECRET", "ARM_CLIENT_SECRET"],
        &[
            "[A-Za-z0-9]{3}8Q~[A-Za-z0-9_.~-]{33}[A-Za-z0-9]",
            "[A-Za-z0-9]{3}7Q~[A-Za-z0-9_.~-]{30}[A-Za-z0-9]",
        ],
    ),
    like(
        "azure-storage-key",
        &["AZURE_STORAGE_KEY", "AZURE_STORAGE_ACCOUNT_KEY"],
        &["[A-Za-z0-9/+]{76}+ASt[A-Za-z0-9/+]{5}[AQgw]=="],
    ),
    like(
        "azure-devops",
        &["AZURE_DEVOPS_EXT_PAT", "AZP_TOKEN"],
        &["[A-Za-z0-9]{76}AZDO[A-Za-z0-9]{4}"],
    ),
    like(
        "slack-bot",
        &["SLACK_BOT_TOKEN", "SLACK_TOKEN"],
        &["xoxb-[1-9][0-9]{11}-[1-9][0-9]{12}-[A-Za-z0-9]{24}"],
    ),
    like(
        "slack-user",
        &["SLACK_USER_TOKEN", "SLACK_TOKEN"],
        &["xoxp-[1-9][0-9]{11}-[1-9][0-9]{11}-[1-9][0-9]{12}-[0-9a-f]{32}"],
    ),
    like("slack-app", &["SLACK_APP_TOKEN"], &["xapp-1-A[A-Z0-9]{10}-[1-9][0-9]{12}-[0-9a-f]{64}"]),
    like(
        "slack-webhook",
        &["SLACK_WEBHOOK_URL", "ALERT_WEBHOOK"],
        &["https://hooks.slack.com/services/T[A-Z0-9]{10}/B[A-Z0-9]{10}/[A-Za-z0-9]{24}"],
    ),
    like(
        "discord-webhook",
        &["DISCORD_WEBHOOK_URL"],
        &["https://discord.com/api/webhooks/1[0-9]{18}/[A-Za-z0-9_-]{68}"],
    ),
    built("discord-bot", &["DISCORD_TOKEN", "DISCORD_BOT_TOKEN"], |r| {
        let id = base64_no_padding_of(&fill(r, "[1-9][0-9]{17,18}"));
        fill(r, &format!("{id}.G[A-Za-z0-9_-]{{5}}.[A-Za-z0-9_-]{{38}}"))
    }),
    like(
        "telegram-bot",
        &["TELEGRAM_BOT_TOKEN", "TELEGRAM_TOKEN"],
        &["[1-9][0-9]{9}:AA[A-Za-z0-9_-]{33}"],
    ),
    like(
        "teams-webhook",
        &["TEAMS_WEBHOOK_URL"],
        &[
            "https://[a-z]{9}.webhook.office.com/webhookb2/[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-a[0-9a-f]{3}-[0-9a-f]{12}@[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-b[0-9a-f]{3}-[0-9a-f]{12}/IncomingWebhook/[0-9a-f]{32}/[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-9[0-9a-f]{3}-[0-9a-f]{12}",
        ],
    ),
    like(
        "stripe",
        &["STRIPE_SECRET_KEY", "STRIPE_API_KEY"],
        &[
            "sk_live_51[A-Za-z0-9]{97}",
            "sk_live_[A-Za-z0-9]{24}",
            "rk_live_51[A-Za-z0-9]{97}",
            "sk_test_51[A-Za-z0-9]{97}",
        ],
    ),
    like("stripe-webhook", &["STRIPE_WEBHOOK_SECRET"], &["whsec_[A-Za-z0-9]{32}"]),
    like("twilio-key", &["TWILIO_API_KEY", "TWILIO_API_KEY_SID"], &["SK[0-9a-f]{32}"]),
    like("sendgrid", &["SENDGRID_API_KEY"], &["SG.[A-Za-z0-9_-]{22}.[A-Za-z0-9_-]{43}"]),
    like("mailgun", &["MAILGUN_API_KEY"], &["key-[0-9a-f]{32}"]),
    like("mailchimp", &["MAILCHIMP_API_KEY"], &["[0-9a-f]{32}-us[1-9]", "[0-9a-f]{32}-us1[0-9]"]),
    built("npm", &["NPM_TOKEN", "NODE_AUTH_TOKEN"], |r| checked(r, "npm_")),
    like(
        "pypi",
        &["PYPI_TOKEN", "TWINE_PASSWORD", "UV_PUBLISH_TOKEN"],
        &["pypi-AgEIcHlwaS5vcmc[A-Za-z0-9_-]{140,180}"],
    ),
    like("rubygems", &["GEM_HOST_API_KEY", "RUBYGEMS_API_KEY"], &["rubygems_[0-9a-f]{48}"]),
    like("crates-io", &["CARGO_REGISTRY_TOKEN"], &["cio[A-Za-z0-9]{32}"]),
    like("nuget", &["NUGET_API_KEY"], &["oy2[a-z0-9]{43}"]),
    like("clojars", &["CLOJARS_PASSWORD", "CLOJARS_TOKEN"], &["CLOJARS_[a-z0-9]{60}"]),
    like("docker-hub", &["DOCKERHUB_TOKEN", "DOCKER_PASSWORD"], &["dckr_pat_[A-Za-z0-9_-]{27}"]),
    like(
        "artifactory",
        &["ARTIFACTORY_API_KEY", "JFROG_TOKEN"],
        &["AKCp[A-Za-z0-9]{69}", "cmVmdGtuOjAxOj[A-Za-z0-9]{50}"],
    ),
    like("hugging-face", &["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"], &["hf_[A-Za-z]{34}"]),
    like(
        "openai",
        &["OPENAI_API_KEY"],
        &[
            "sk-[A-Za-z0-9]{20}T3BlbkFJ[A-Za-z0-9]{20}",
            "sk-proj-[A-Za-z0-9_-]{74}T3BlbkFJ[A-Za-z0-9_-]{73}[A-Za-z0-9]",
            "sk-svcacct-[A-Za-z0-9_-]{74}T3BlbkFJ[A-Za-z0-9_-]{73}[A-Za-z0-9]",
        ],
    ),
    like(
        "anthropic",
        &["ANTHROPIC_API_KEY"],
        &["sk-ant-api03-[A-Za-z0-9_-]{93}AA", "sk-ant-admin01-[A-Za-z0-9_-]{93}AA"],
    ),
    like("openrouter", &["OPENROUTER_API_KEY"], &["sk-or-v1-[0-9a-f]{64}"]),
    like("deepseek", &["DEEPSEEK_API_KEY"], &["sk-[0-9a-f]{32}"]),
    like("replicate", &["REPLICATE_API_TOKEN"], &["r8_[A-Za-z0-9]{37}"]),
    like("groq", &["GROQ_API_KEY"], &["gsk_[A-Za-z0-9]{52}"]),
    like("perplexity", &["PERPLEXITY_API_KEY"], &["pplx-[A-Za-z0-9]{48}"]),
    like("xai", &["XAI_API_KEY"], &["xai-[A-Za-z0-9]{80}"]),
    like(
        "langsmith",
        &["LANGSMITH_API_KEY", "LANGCHAIN_API_KEY"],
        &["lsv2_pt_[0-9a-f]{32}_[0-9a-f]{10}", "lsv2_sk_[0-9a-f]{32}_[0-9a-f]{10}"],
    ),
    like("pinecone", &["PINECONE_API_KEY"], &["pcsk_[A-Za-z0-9]{5,6}_[A-Za-z0-9]{63}"]),
    like(
        "digitalocean",
        &["DIGITALOCEAN_TOKEN", "DIGITALOCEAN_ACCESS_TOKEN"],
        &["dop_v1_[0-9a-f]{64}", "doo_v1_[0-9a-f]{64}"],
    ),
    like("heroku", &["HEROKU_API_KEY"], &["HRKU-AA[A-Za-z0-9_-]{57}[A-Za-z0-9]"]),
    built("fly-io", &["FLY_API_TOKEN"], |r| match r.below(2) {
        0 => fill(r, "fo1_[A-Za-z0-9_-]{43}"),
        _ => format!("fm2_lJP{}", base64(r, 240)),
    }),
    like("netlify", &["NETLIFY_AUTH_TOKEN"], &["nfp_[A-Za-z0-9]{36}"]),
    like(
        "supabase",
        &["SUPABASE_ACCESS_TOKEN", "SUPABASE_SECRET_KEY"],
        &["sbp_[0-9a-f]{40}", "sb_secret_[A-Za-z0-9_-]{22}_[A-Za-z0-9]{8}"],
    ),
    like(
        "planetscale",
        &["PLANETSCALE_SERVICE_TOKEN", "DATABASE_PASSWORD"],
        &["pscale_tkn_[A-Za-z0-9_-]{42}[A-Za-z0-9]", "pscale_pw_[A-Za-z0-9_-]{42}[A-Za-z0-9]"],
    ),
    like("databricks", &["DATABRICKS_TOKEN"], &["dapi[0-9a-f]{32}", "dapi[0-9a-f]{32}-2"]),
    like(
        "new-relic",
        &["NEW_RELIC_API_KEY", "NEW_RELIC_LICENSE_KEY"],
        &["NRAK-[A-Z0-9]{27}", "[0-9a-f]{36}NRAL"],
    ),
    built("grafana", &["GRAFANA_TOKEN", "GRAFANA_API_KEY"], |r| match r.below(3) {
        0 => {
            let body = fill(r, "glsa_[A-Za-z0-9]{32}");
            format!("{body}_{:08x}", crc32(body.as_bytes()))
        }
        1 => {
            let json = format!(
                r#"{{"o":"{}","n":"{}","k":"{}","m":{{"r":"eu"}}}}"#,
                r.below(999_999),
                word(r),
                fill(r, "[A-Za-z0-9]{24}")
            );
            format!("glc_{}", base64_of(&json))
        }
        _ => {
            let json =
                format!(r#"{{"k":"{}","n":"{}","id":1}}"#, fill(r, "[A-Za-z0-9]{32}"), word(r));
            base64_of(&json)
        }
    }),
    built("sentry", &["SENTRY_AUTH_TOKEN"], |r| match r.below(2) {
        0 => fill(r, "sntryu_[0-9a-f]{64}"),
        _ => {
            let json = format!(
                r#"{{"iat":17{}.42,"url":"https://sentry.io","region_url":"https://us.sentry.io","org":"{}"}}"#,
                fill(r, "[0-9]{8}"),
                word(r)
            );
            format!("sntrys_{}_{}", base64_of(&json), fill(r, "[A-Za-z0-9+/]{43}"))
        }
    }),
    like("linear", &["LINEAR_API_KEY"], &["lin_api_[A-Za-z0-9]{40}", "lin_oauth_[0-9a-f]{64}"]),
    like(
        "notion",
        &["NOTION_TOKEN", "NOTION_API_KEY"],
        &["ntn_[0-9]{11}[A-Za-z0-9]{35}", "secret_[A-Za-z0-9]{43}"],
    ),
    like("figma", &["FIGMA_TOKEN", "FIGMA_ACCESS_TOKEN"], &["figd_[A-Za-z0-9_-]{39}[A-Za-z0-9]"]),
    like("airtable", &["AIRTABLE_TOKEN", "AIRTABLE_API_KEY"], &["pat[A-Za-z0-9]{14}.[0-9a-f]{64}"]),
    like("asana", &["ASANA_ACCESS_TOKEN"], &["2/12[0-9]{14}/12[0-9]{14}:[0-9a-f]{32}"]),
    like(
        "dropbox",
        &["DROPBOX_ACCESS_TOKEN"],
        &["sl.u.A[A-Za-z0-9_-]{140}", "sl.B[A-Za-z0-9_-]{135}"],
    ),
    like(
        "shopify",
        &["SHOPIFY_ACCESS_TOKEN", "SHOPIFY_API_SECRET"],
        &["shpat_[0-9a-f]{32}", "shpss_[0-9a-f]{32}", "shpca_[0-9a-f]{32}"],
    ),
    like(
        "square",
        &["SQUARE_ACCESS_TOKEN"],
        &["EAAAE[A-Za-z0-9_-]{58}[A-Za-z0-9]", "sq0csp-[A-Za-z0-9_-]{42}[A-Za-z0-9]"],
    ),
    like(
        "braintree",
        &["BRAINTREE_ACCESS_TOKEN"],
        &["access_token$production$[0-9a-z]{16}$[0-9a-f]{32}"],
    ),
    like(
        "plaid",
        &["PLAID_ACCESS_TOKEN"],
        &["access-production-[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-a[0-9a-f]{3}-[0-9a-f]{12}"],
    ),
    like(
        "facebook",
        &["FACEBOOK_ACCESS_TOKEN", "META_PAGE_TOKEN"],
        &["EAA[A-Z][A-Za-z0-9]{170,190}"],
    ),
    like(
        "twitter",
        &["TWITTER_BEARER_TOKEN"],
        &["AAAAAAAAAAAAAAAAAAAAA[A-Za-z0-9]{25}%2B[A-Za-z0-9]{40,50}%3D[A-Za-z0-9]{20}"],
    ),
    like("postman", &["POSTMAN_API_KEY"], &["PMAK-[0-9a-f]{24}-[0-9a-f]{34}"]),
    like(
        "terraform-cloud",
        &["TFE_TOKEN", "TF_TOKEN_app_terraform_io"],
        &["[A-Za-z0-9]{14}.atlasv1.[A-Za-z0-9]{67}"],
    ),
    like(
        "vault",
        &["VAULT_TOKEN"],
        &["hvs.CAESI[A-Za-z0-9_-]{85,95}", "hvb.AAAAAQ[A-Za-z0-9_-]{140,160}"],
    ),
    like("pulumi", &["PULUMI_ACCESS_TOKEN"], &["pul-[0-9a-f]{40}"]),
    like("doppler", &["DOPPLER_TOKEN"], &["dp.pt.[A-Za-z0-9]{43}", "dp.st.prd.[A-Za-z0-9]{43}"]),
    built("one-password", &["OP_SERVICE_ACCOUNT_TOKEN"], |r| {
        let json = format!(
            r#"{{"signInAddress":"my.1password.com","userAuth":{{"method":"SRPg-4096","alg":"PBES2g-HS256","iterations":650000,"salt":"{}"}},"email":"{}@1passwordserviceaccounts.com","srpX":"{}","secretKey":"{}"}}"#,
            fill(r, "[A-Za-z0-9_-]{22}"),
            fill(r, "[a-z0-9]{13}"),
            hex(r, 64),
            fill(r, "A3-[A-Z0-9]{6}-[A-Z0-9]{6}-[A-Z0-9]{5}-[A-Z0-9]{5}-[A-Z0-9]{5}-[A-Z0-9]{5}")
        );
        format!("ops_{}", base64url_of(&json))
    }),
    like(
        "age",
        &["SOPS_AGE_KEY", "AGE_KEY"],
        &["AGE-SECRET-KEY-1[QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L]{58}"],
    ),
    like("sonar", &["SONAR_TOKEN"], &["squ_[0-9a-f]{40}", "sqp_[0-9a-f]{40}", "sqa_[0-9a-f]{40}"]),
    like("circleci", &["CIRCLECI_TOKEN", "CIRCLE_TOKEN"], &["CCIPAT_[A-Za-z0-9]{22}_[0-9a-f]{40}"]),
    like("buildkite", &["BUILDKITE_API_TOKEN"], &["bkua_[0-9a-f]{40}"]),
    like(
        "launchdarkly",
        &["LAUNCHDARKLY_SDK_KEY", "LD_API_KEY"],
        &[
            "sdk-[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-9[0-9a-f]{3}-[0-9a-f]{12}",
            "api-[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}",
        ],
    ),
    built("mapbox", &["MAPBOX_SECRET_TOKEN", "MAPBOX_ACCESS_TOKEN"], |r| {
        let json = format!(r#"{{"u":"{}","a":"{}"}}"#, word(r), fill(r, "cl[a-z0-9]{23}"));
        format!("sk.{}.{}", base64url_of(&json), fill(r, "[A-Za-z0-9_-]{21}[A-Za-z0-9]"))
    }),
    like("contentful", &["CONTENTFUL_MANAGEMENT_TOKEN"], &["CFPAT-[A-Za-z0-9_-]{42}[A-Za-z0-9]"]),
    like(
        "hubspot",
        &["HUBSPOT_ACCESS_TOKEN", "HUBSPOT_TOKEN"],
        &[
            "pat-na1-[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}",
            "pat-eu1-[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-b[0-9a-f]{3}-[0-9a-f]{12}",
        ],
    ),
    like("typeform", &["TYPEFORM_TOKEN"], &["tfp_[A-Za-z0-9]{44}_[A-Za-z0-9]{14}"]),
    like("prefect", &["PREFECT_API_KEY"], &["pnu_[a-z0-9]{36}", "pnb_[a-z0-9]{36}"]),
    like("readme", &["README_API_KEY"], &["rdme_[a-z0-9]{70}"]),
    like(
        "brevo",
        &["BREVO_API_KEY", "SENDINBLUE_API_KEY"],
        &["xkeysib-[0-9a-f]{64}-[A-Za-z0-9]{16}"],
    ),
    like("resend", &["RESEND_API_KEY"], &["re_[A-Za-z0-9]{8}_[A-Za-z0-9]{24}"]),
    like(
        "tailscale",
        &["TS_AUTHKEY", "TAILSCALE_AUTHKEY"],
        &[
            "tskey-auth-k[A-Za-z0-9]{10}CNTRL-[A-Za-z0-9]{32}",
            "tskey-api-k[A-Za-z0-9]{10}CNTRL-[A-Za-z0-9]{32}",
        ],
    ),
    like("easypost", &["EASYPOST_API_KEY"], &["EZAK[A-Za-z0-9]{54}"]),
    like("duffel", &["DUFFEL_ACCESS_TOKEN"], &["duffel_live_[A-Za-z0-9_-]{42}[A-Za-z0-9]"]),
    like("shippo", &["SHIPPO_TOKEN"], &["shippo_live_[0-9a-f]{40}"]),
    like("dynatrace", &["DT_API_TOKEN", "DYNATRACE_TOKEN"], &["dt0c01.[A-Z2-7]{24}.[A-Z2-7]{64}"]),
    like(
        "flutterwave",
        &["FLW_SECRET_KEY"],
        &["FLWSECK_TEST-[0-9a-f]{32}-X", "FLWSECK-[0-9a-f]{32}-X"],
    ),
    like("posthog", &["POSTHOG_PERSONAL_API_KEY"], &["phx_[A-Za-z0-9]{43}"]),
    like("neon", &["NEON_API_KEY"], &["napi_[a-z0-9]{64}"]),
    built("jwt", &["ACCESS_TOKEN", "ID_TOKEN", "SUPABASE_SERVICE_ROLE_KEY", "SESSION_JWT"], jwt),
];

/// Tokens without a form of their own.
pub const NAMED: &[Token] = &[
    named("aws-secret-access-key", &["AWS_SECRET_ACCESS_KEY"], &["[A-Za-z0-9/+]{39}[A-Za-z0-9]"]),
    named_built("aws-session-token", &["AWS_SESSION_TOKEN"], |r| {
        let prefix = r.pick(&["IQoJb3JpZ2luX2Vj", "FwoGZXIvYXdzE"]);
        format!("{prefix}{}", base64(r, 300))
    }),
    named(
        "cloudflare",
        &["CLOUDFLARE_API_TOKEN", "CF_API_TOKEN", "CLOUDFLARE_API_KEY"],
        &["[A-Za-z0-9_-]{39}[A-Za-z0-9]", "[0-9a-f]{37}"],
    ),
    named(
        "datadog",
        &["DD_API_KEY", "DATADOG_API_KEY", "DD_APP_KEY"],
        &["[0-9a-f]{32}", "[0-9a-f]{40}"],
    ),
    named("twilio-auth-token", &["TWILIO_AUTH_TOKEN"], &["[0-9a-f]{32}"]),
    named("algolia", &["ALGOLIA_ADMIN_KEY", "ALGOLIA_API_KEY"], &["[0-9a-f]{32}"]),
    named(
        "mailgun-newer",
        &["MAILGUN_API_KEY", "MAILGUN_SENDING_KEY"],
        &["[0-9a-f]{32}-[0-9a-f]{8}-[0-9a-f]{8}"],
    ),
    named("auth0", &["AUTH0_CLIENT_SECRET"], &["[A-Za-z0-9_-]{63}[A-Za-z0-9]"]),
    named("okta", &["OKTA_API_TOKEN", "OKTA_TOKEN"], &["00[A-Za-z0-9_-]{39}[A-Za-z0-9]"]),
    named("linode", &["LINODE_TOKEN", "LINODE_API_TOKEN"], &["[0-9a-f]{64}"]),
    named("hetzner", &["HCLOUD_TOKEN", "HETZNER_API_TOKEN"], &["[A-Za-z0-9]{64}"]),
    named("mistral", &["MISTRAL_API_KEY"], &["[A-Za-z0-9]{32}"]),
    named("cohere", &["COHERE_API_KEY"], &["[A-Za-z0-9]{40}"]),
    named("weights-and-biases", &["WANDB_API_KEY"], &["[0-9a-f]{40}"]),
    named("vercel", &["VERCEL_TOKEN"], &["[A-Za-z0-9]{24}"]),
    named(
        "pagerduty",
        &["PAGERDUTY_TOKEN", "PAGERDUTY_API_KEY"],
        &["[A-Za-z0-9+_-]{19}[A-Za-z0-9]"],
    ),
    named_built("codecov", &["CODECOV_TOKEN", "RAILWAY_TOKEN", "POSTMARK_SERVER_TOKEN"], uuid),
    named("lob", &["LOB_API_KEY"], &["live_[0-9a-f]{35}"]),
    named(
        "rapidapi",
        &["RAPIDAPI_KEY", "X_RAPIDAPI_KEY"],
        &["[0-9a-f]{10}msh[0-9a-f]{15}p1[0-9a-f]{5}jsn[0-9a-f]{12}"],
    ),
    named("ngrok", &["NGROK_AUTHTOKEN"], &["2[A-Za-z0-9]{26}_[A-Za-z0-9]{21}"]),
    named_built(
        "framework-secret",
        &["SECRET_KEY_BASE", "APP_KEY", "SECRET_KEY", "NEXTAUTH_SECRET"],
        |r| match r.below(3) {
            0 => hex(r, 128),
            1 => format!("base64:{}", base64(r, 32)),
            _ => base64(r, 32),
        },
    ),
    named_built(
        "signing-secret",
        &["JWT_SECRET", "SESSION_SECRET", "WEBHOOK_SECRET", "SIGNING_SECRET", "COOKIE_SECRET"],
        |r| match r.below(3) {
            0 => hex(r, 64),
            1 => base64(r, 24),
            _ => fill(r, "[A-Za-z0-9_-]{31}[A-Za-z0-9]"),
        },
    ),
    named_built(
        "encryption-key",
        &["ENCRYPTION_KEY", "DATA_ENCRYPTION_KEY", "MASTER_KEY", "FERNET_KEY"],
        |r| match r.below(3) {
            0 => hex(r, 64),
            1 => base64(r, 32),
            _ => hex(r, 32),
        },
    ),
    named_built(
        "vendorless-token",
        &[
            "API_TOKEN",
            "INTERNAL_API_KEY",
            "AUTH_TOKEN",
            "DEPLOY_TOKEN",
            "BILLING_API_SECRET",
            "PARTNER_ACCESS_KEY",
        ],
        |r| match r.below(4) {
            0 => hex(r, 40),
            1 => fill(r, "[A-Za-z0-9]{32}"),
            2 => fill(r, "[A-Za-z0-9_-]{42}[A-Za-z0-9]"),
            _ => fill(r, "acme_[a-z]{4}_[A-Za-z0-9]{28}"),
        },
    ),
    named_built(
        "password-setting",
        &[
            "DB_PASSWORD",
            "POSTGRES_PASSWORD",
            "SMTP_PASSWORD",
            "ADMIN_PASSWORD",
            "REDIS_PASSWORD",
            "MYSQL_ROOT_PASSWORD",
            "KEYSTORE_PASSWORD",
            "LDAP_BIND_PASSWORD",
        ],
        super::values::password,
    ),
];
