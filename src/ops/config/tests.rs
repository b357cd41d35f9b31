//! The configuration file: what is read, what is refused and with which words, and that nothing is left out.

use rstest::rstest;
use serde_json::Value;

use super::*;

fn faults(text: &str) -> Vec<Fault> {
    let found = faults_of(text);
    assert!(!found.is_empty(), "nothing is wrong with it:\n{text}");
    found
}

fn faults_of(text: &str) -> Vec<Fault> {
    match Config::parse(text) {
        Ok(_) => Vec::new(),
        Err(ConfigError::Invalid { faults, .. }) => faults,
        Err(other @ ConfigError::Unreadable { .. }) => panic!("{other}"),
    }
}

#[rstest]
#[case("")]
#[case("# nothing but a comment\n")]
#[case("---\n")]
#[case("{}")]
#[case("operator:\n  # workers: 8\npayments:\n")]
#[case("operator:\n  lease:\n")]
fn an_empty_file_or_section_means_the_defaults(#[case] text: &str) {
    assert_eq!(Config::parse(text).unwrap(), Config::default());
}

#[test]
fn every_field_is_read() {
    let config = Config::parse(
        "
installation: {configMap: grand-hotel}
operator:
  acceptWithin: 1h30m
  watchNamespaces: [front-desk, annex]
  workers: 8
  roomStatusInterval: 250ms
  calendarBytesPerSecond: 100000
  lease: {name: lead, namespace: hotel, duration: 30s, renew: 10s}
  resync: 5m
  extraFinalizers: [innkeeper.dev/relay]
payments:
  endpoint: http://payments.innkeeper.svc:8082
  keyFile: /run/key
  connectTimeout: 1s
  requestTimeout: 10s
  breaker: {failures: 3, openFor: 20s}
  backoff: {initial: 500ms, max: 1m}
  sweep: {every: 2h, back: 24h}
  webhooks: {secretFile: /run/webhooks, listen: '127.0.0.1:81'}
  lookBack: 48h
  brake: {unaskedPerDay: 5}
gateway:
  listen: 127.0.0.1:80
  watchNamespaces: [annex]
  partnersFile: /run/partners
  openSearch: false
  publicURL: https://book.example.com
  allowedOrigins: ['https://booking.example.com']
  webhooksTo: http://operators:8092
  proxies: 1
  session: {keysFile: /run/keys, lasts: 1h}
  signIn:
    issuer: http://issuer.hotel.svc/guests
    clientID: seaside
    clientSecretFile: /run/secret
    scopes: [profile]
    guestKeyFile: /run/guests
    throughGateway: true
    rootCaFile: /run/ca
    timeout: 2s
  contacts: {namespace: guests}
  limits: {bodyBytes: 2048, headerBytes: 9000, headerTimeout: 2s, closeTimeout: 8s, requestTimeout: 3s, inFlight: 4, streams: 5, connections: 6, wait: 7ms}
  rates: {identityPerMinute: 6, addressPerMinute: 7}
  model: {watchFor: 8s, staleAfter: 9s, ownWritesWithin: 1s}
  breaker: {failures: 2, openFor: 3s, writeTimeout: 4s}
  ending: {linger: 1s, drain: 2s}
  site: {title: Seaside, stripePublishableKey: pk_test_1}
relay:
  state: /run/relay
  watchNamespaces: [annex]
  file: {path: /run/events, types: ['dev.innkeeper.room.*']}
  http:
    - {name: desk, url: 'https://desk.example.com/told', mode: binary, secretFile: /run/secret, caFile: /run/ca, timeout: 3s, types: [dev.innkeeper.reservation.confirmed], namespaces: [annex]}
    - {name: night, url: 'http://night:8080'}
  kafka: {brokers: ['kafka:9092'], topic: stays, propertiesFile: /run/properties, types: ['*']}
  retry: {initial: 1s, max: 2s}
archive: {folder: /srv/archive, followEvery: 5s, expireAfterFiled: 1h}
http: {listen: '[::]:9090'}
log: {format: json, filter: 'info,kube=warn'}
",
    )
    .unwrap();
    let seconds = Duration::from_secs;
    let expected = Config {
        installation: Installation { config_map: "grand-hotel".into() },
        operator: Operator {
            accept_within: seconds(5400),
            watch_namespaces: vec!["front-desk".into(), "annex".into()],
            workers: 8,
            room_status_interval: Duration::from_millis(250),
            calendar_bytes_per_second: 100_000,
            lease: Lease {
                name: "lead".into(),
                namespace: Some("hotel".into()),
                duration: seconds(30),
                renew: seconds(10),
            },
            resync: seconds(300),
            extra_finalizers: vec!["innkeeper.dev/relay".into()],
        },
        payments: Payments {
            endpoint: "http://payments.innkeeper.svc:8082".into(),
            key_file: "/run/key".into(),
            connect_timeout: seconds(1),
            request_timeout: seconds(10),
            breaker: Breaker { failures: 3, open_for: seconds(20) },
            backoff: Backoff { initial: Duration::from_millis(500), max: seconds(60) },
            sweep: Sweep { every: seconds(7200), back: seconds(86_400) },
            webhooks: Webhooks {
                secret_file: Some("/run/webhooks".into()),
                listen: "127.0.0.1:81".parse().unwrap(),
            },
            look_back: seconds(172_800),
            brake: Brake { unasked_per_day: 5 },
        },
        gateway: Gateway {
            listen: "127.0.0.1:80".parse().unwrap(),
            watch_namespaces: vec!["annex".into()],
            partners_file: Some("/run/partners".into()),
            open_search: false,
            public_url: Some("https://book.example.com".into()),
            allowed_origins: vec!["https://booking.example.com".into()],
            webhooks_to: Some("http://operators:8092".into()),
            proxies: 1,
            session: Session { keys_file: Some("/run/keys".into()), lasts: seconds(3600) },
            sign_in: SignIn {
                issuer: Some("http://issuer.hotel.svc/guests".into()),
                client_id: "seaside".into(),
                client_secret_file: Some("/run/secret".into()),
                scopes: vec!["profile".into()],
                guest_key_file: Some("/run/guests".into()),
                through_gateway: true,
                root_ca_file: Some("/run/ca".into()),
                timeout: seconds(2),
            },
            contacts: Contacts { namespace: Some("guests".into()) },
            limits: Limits {
                body_bytes: 2048,
                header_bytes: 9000,
                header_timeout: seconds(2),
                close_timeout: seconds(8),
                request_timeout: seconds(3),
                in_flight: 4,
                streams: 5,
                connections: 6,
                wait: Duration::from_millis(7),
            },
            rates: Rates { identity_per_minute: 6, address_per_minute: 7 },
            model: Model { watch_for: seconds(8), stale_after: seconds(9), own_writes_within: seconds(1) },
            breaker: WriteBreaker { failures: 2, open_for: seconds(3), write_timeout: seconds(4) },
            ending: Ending { linger: seconds(1), drain: seconds(2) },
            site: Site { title: "Seaside".into(), stripe_publishable_key: Some("pk_test_1".into()) },
        },
        relay: Relay {
            state: "/run/relay".into(),
            watch_namespaces: vec!["annex".into()],
            file: EventFile { path: Some("/run/events".into()), types: vec!["dev.innkeeper.room.*".into()] },
            http: vec![
                Receiver {
                    name: "desk".into(),
                    url: "https://desk.example.com/told".into(),
                    mode: EventMode::Binary,
                    secret_file: Some("/run/secret".into()),
                    ca_file: Some("/run/ca".into()),
                    timeout: seconds(3),
                    types: vec!["dev.innkeeper.reservation.confirmed".into()],
                    namespaces: vec!["annex".into()],
                },
                Receiver {
                    name: "night".into(),
                    url: "http://night:8080".into(),
                    mode: EventMode::Structured,
                    secret_file: None,
                    ca_file: None,
                    timeout: seconds(10),
                    types: vec![],
                    namespaces: vec![],
                },
            ],
            kafka: Kafka {
                brokers: vec!["kafka:9092".into()],
                topic: "stays".into(),
                properties_file: Some("/run/properties".into()),
                types: vec!["*".into()],
            },
            retry: Backoff { initial: seconds(1), max: seconds(2) },
        },
        archive: Archive {
            folder: Some("/srv/archive".into()),
            follow_every: seconds(5),
            expire_after_filed: seconds(3600),
        },
        http: Http { listen: "[::]:9090".parse().unwrap() },
        log: Log { format: LogFormat::Json, filter: "info,kube=warn".into() },
    };
    assert_eq!(config, expected);
    assert_eq!(
        watch::changes(&Config::default(), &config).len(),
        rules::FIELDS.len(),
        "a field was left out"
    );
}

/// Text that cannot be read at all: the line and the reason.
#[rstest]
#[case::syntax("operator:\n  watchNamespaces: [a, b\nlog: {}\n", 3, "")]
#[case::a_tab("operator:\n\tworkers: 1\n", 2, "tab")]
#[case::unknown_section("operators:\n  workers: 1\n", 1, "operators")]
#[case::unknown_field("operator:\n  workers: 1\n  worker: 2\n", 3, "worker")]
#[case::twice("operator:\n  workers: 1\n  workers: 2\n", 3, "workers")]
#[case::two_documents("log: {}\n---\nlog: {}\n", 3, "only single")]
#[case::a_list("- workers\n", 1, "give fields, each with its value")]
#[case::a_word_for_a_section("operator: fast\n", 1, "operator: this cannot be read; give fields")]
#[case::a_word_for_a_number(
    "operator:\n  workers: many\n",
    2,
    "operator.workers: this cannot be read; give a whole number from 1 to 1024"
)]
#[case::a_negative_number("operator:\n  workers: -1\n", 2, "give a whole number")]
#[case::a_fraction("operator:\n  workers: 1.5\n", 2, "give a whole number")]
#[case::a_huge_number("operator:\n  workers: 70000\n", 2, "give a whole number")]
#[case::a_word_for_a_list("operator:\n  watchNamespaces: hotel\n", 2, "give a list of at most 100 names")]
#[case::no_unit(
    "operator:\n  acceptWithin: 90\n",
    2,
    "operator.acceptWithin: `90` has no unit; write `90s` for seconds"
)]
#[case::days("operator:\n  acceptWithin: 2d\n", 2, "two days are 48h")]
#[case::no_port("\nhttp:\n  listen: 0.0.0.0\n", 3, "write one like 0.0.0.0:8080")]
#[case::no_such_format("log:\n  format: xml\n", 2, "xml")]
fn what_cannot_be_read_is_refused_with_its_line(#[case] text: &str, #[case] line: u64, #[case] says: &str) {
    let faults = faults(text);
    assert_eq!(faults.len(), 1);
    let fault = &faults[0];
    assert_eq!(fault.position.map(|(line, _)| line), Some(line), "{fault}");
    assert_eq!(fault.line.as_deref(), text.lines().nth(usize::try_from(line).unwrap() - 1), "{fault}");
    assert!(fault.to_string().contains(says), "{fault}");
}

/// Values that can be read and make no sense: one row each, written as `section.field: value`.
#[rstest]
#[case("installation.configMap", "Grand_Hotel", "small letters")]
#[case("installation.configMap", "''", "no name of an object")]
#[case("operator.acceptWithin", "0s", "give a span of time from 1s to 24h")]
#[case("operator.acceptWithin", "25h", "from 1s to 24h")]
#[case("operator.workers", "0", "give a whole number from 1 to 1024")]
#[case("operator.workers", "1025", "1025 is out of range")]
#[case("operator.roomStatusInterval", "99ms", "99ms is out of range")]
#[case("operator.calendarBytesPerSecond", "9999", "from 10000 to 50000000")]
#[case("operator.lease.name", "-lead", "no name of an object")]
#[case("operator.lease.namespace", "my.hotel", "no name of a namespace")]
#[case("operator.lease.duration", "1s", "out of range")]
#[case("operator.lease.duration", "15s500ms", "no whole number of seconds")]
#[case("operator.lease.renew", "1500ms", "no whole number of seconds")]
#[case("operator.lease.renew", "8s", "at least twice as long")]
#[case("operator.lease.duration", "9s", "at least twice as long")]
#[case("operator.resync", "1s", "out of range")]
#[case("payments.endpoint", "api.stripe.com", "give http:// or https://")]
#[case("payments.endpoint", "ftp://api.stripe.com", "give http:// or https://")]
#[case("payments.endpoint", "https://api.stripe.com/v1", "nothing more")]
#[case("payments.endpoint", "https://api.stripe.com?x=1", "nothing more")]
#[case("payments.endpoint", "https://me:secret@api.stripe.com", "nothing more")]
#[case("payments.endpoint", "http://api.stripe.com", "write https://api.stripe.com")]
#[case("payments.endpoint", "http://stripe.com:80/", "write https://stripe.com")]
#[case("payments.keyFile", "''", "missing")]
#[case("gateway.site.title", "''", "at most 60 characters")]
#[case("gateway.site.stripePublishableKey", "secret", "begins with pk_")]
#[case("payments.connectTimeout", "2m", "out of range")]
#[case("payments.connectTimeout", "40s", "let connectTimeout be at most requestTimeout")]
#[case("payments.requestTimeout", "4s", "let connectTimeout be at most requestTimeout")]
#[case("payments.breaker.failures", "0", "out of range")]
#[case("payments.breaker.openFor", "2h", "out of range")]
#[case("payments.backoff.initial", "10m", "let initial be at most max")]
#[case("payments.backoff.max", "500ms", "let initial be at most max")]
#[case("gateway.partnersFile", "''", "missing")]
#[case("gateway.proxies", "9", "from 0 to 8")]
#[case("gateway.limits.headerBytes", "4096", "out of range")]
#[case("gateway.limits.wait", "2m", "out of range")]
#[case("gateway.model.watchFor", "1500ms", "no whole number of seconds")]
#[case("gateway.model.watchFor", "60s", "let staleAfter be more than watchFor")]
#[case("gateway.model.staleAfter", "30s", "let staleAfter be more than watchFor")]
#[case("gateway.publicURL", "http://book.example.com", "write https://")]
#[case("gateway.publicURL", "https://book.example.com/", "write it as browsers do")]
#[case("gateway.session.keysFile", "''", "missing")]
#[case("gateway.session.lasts", "1s", "out of range")]
#[case("gateway.signIn.issuer", "http://accounts.example.com", "in the clear")]
#[case("gateway.signIn.issuer", "http://localhost.example.com", "in the clear")]
#[case("gateway.signIn.issuer", "accounts.example.com", "no issuer")]
#[case("gateway.signIn.issuer", "https://accounts.example.com?x=1", "no issuer")]
#[case("gateway.signIn.issuer", "https://me:secret@accounts.example.com", "no issuer")]
#[case("gateway.signIn.clientID", "''", "no client id")]
#[case("gateway.contacts.namespace", "My_Guests", "no name of a namespace")]
#[case("log.filter", "inof", "is no level")]
#[case("log.filter", "kube=loud", "is no log filter")]
fn a_value_that_makes_no_sense_is_refused_where_it_stands(
    #[case] field: &str,
    #[case] value: &str,
    #[case] says: &str,
) {
    let steps: Vec<&str> = field.split('.').collect();
    let mut text = "# the hotel's own\n".to_owned();
    for (depth, step) in steps.iter().enumerate() {
        text += &"  ".repeat(depth);
        text += step;
        text += if depth + 1 == steps.len() { ": " } else { ":\n" };
    }
    text.push_str(value);
    let faults = faults(&text);
    assert_eq!(faults.len(), 1, "{faults:?}");
    let fault = &faults[0];
    let column = 2 * (steps.len() - 1) + steps[steps.len() - 1].len() + 3;
    assert_eq!(fault.position, Some((1 + steps.len() as u64, column as u64)), "{fault}");
    assert_eq!(fault.field.as_deref(), Some(field));
    assert_eq!(fault.line.as_deref(), text.lines().last());
    assert!(fault.reason.contains(says), "{fault}");
}

#[rstest]
#[case(
    "operator:\n  watchNamespaces:\n    - hotel\n    - The Annex\n",
    "operator.watchNamespaces[1]",
    4,
    "no name"
)]
#[case(
    "operator:\n  watchNamespaces: [hotel,\n    hotel]\n",
    "operator.watchNamespaces[1]",
    3,
    "there twice"
)]
#[case(
    "gateway:\n  allowedOrigins: ['https://a.example', 'https://b.example/']\n",
    "gateway.allowedOrigins[1]",
    2,
    "write it as browsers do"
)]
#[case(
    "relay:\n  kafka:\n    brokers: ['kafka:9092', kafka]\n",
    "relay.kafka.brokers[1]",
    3,
    "host and port"
)]
#[case("relay:\n  file: {types: [Confirmed]}\n", "relay.file.types[0]", 2, "no type of events")]
#[case(
    "relay:\n  http:\n    - {name: a, url: 'http://a'}\n    - {name: a, url: 'http://b'}\n",
    "relay.http[1].name",
    4,
    "is there twice"
)]
#[case(
    "relay:\n  http:\n    - {name: file, url: 'http://a'}\n",
    "relay.http[0].name",
    3,
    "neither file nor kafka"
)]
#[case(
    "relay:\n  http:\n    - {name: a, url: 'ftp://a'}\n",
    "relay.http[0].url",
    3,
    "no address of a receiver"
)]
#[case(
    "relay:\n  http:\n    - {name: a, url: 'http://a', timeout: 1ms}\n",
    "relay.http[0].timeout",
    3,
    "out of range"
)]
#[case(
    "relay:\n  http:\n    - {name: a, url: 'http://a', types: ['!']}\n",
    "relay.http[0].types[0]",
    3,
    "no type of events"
)]
#[case("operator:\n  extraFinalizers: [relay]\n", "operator.extraFinalizers[0]", 2, "like example.com/name")]
#[case(
    "operator:\n  extraFinalizers: [a/1,a/2,a/3,a/4,a/5,a/6,a/7,a/8,a/9]\n",
    "operator.extraFinalizers",
    2,
    "at most 8"
)]
fn an_item_of_a_list_is_named_by_its_place(
    #[case] text: &str,
    #[case] field: &str,
    #[case] line: u64,
    #[case] says: &str,
) {
    let fault = &faults(text)[0];
    assert_eq!(fault.field.as_deref(), Some(field));
    assert_eq!(fault.position.map(|(line, _)| line), Some(line));
    assert!(fault.reason.contains(says), "{fault}");
}

#[test]
fn an_issuer_needs_what_guests_who_sign_in_need() {
    let all = "gateway:\n  publicURL: http://localhost:8090\n  session: {keysFile: k}\n  signIn:\n    issuer: ISSUER\n    guestKeyFile: g\n";
    for issuer in
        ["http://127.0.0.1:8093", "http://issuer.hotel.svc:8093", "https://accounts.example.com/hotel"]
    {
        let text = all.replace("ISSUER", issuer);
        Config::parse(&text).unwrap();
        for (line, says) in [
            ("  publicURL: http://localhost:8090\n", "give gateway.publicURL"),
            ("  session: {keysFile: k}\n", "give gateway.session.keysFile"),
            ("    guestKeyFile: g\n", "give gateway.signIn.guestKeyFile"),
        ] {
            let found = faults(&text.replace(line, ""));
            assert_eq!(found.len(), 1, "{found:?}");
            assert!(found[0].reason.contains(says), "{}", found[0]);
        }
        // The world outside is not shown among the gateway's own pages.
        let found = faults_of(&format!("{text}    throughGateway: true\n"));
        let refused = found.iter().any(|fault| fault.reason.contains("leave throughGateway out"));
        assert_eq!((refused, found.len()), (issuer.starts_with("https"), usize::from(refused)), "{found:?}");
    }
}

#[test]
fn all_values_out_of_range_are_named_at_once() {
    let error = Config::parse("operator:\n  workers: 0\nlog:\n  filter: inof\n").unwrap_err();
    assert_eq!(
        error.to_string(),
        "the configuration is invalid
  line 2, column 12: operator.workers: 0 is out of range; give a whole number from 1 to 1024
    |   workers: 0
  line 4, column 11: log.filter: `inof` is no level; use error, warn, info, debug, trace or off, or name a target like kube=warn
    |   filter: inof"
    );
}

#[test]
fn a_value_from_an_anchor_is_found_too() {
    let fault = &faults("operator:\n  resync: &t 1s\n  acceptWithin: *t\n")[0];
    assert_eq!((fault.field.as_deref(), fault.position.unwrap().0), (Some("operator.resync"), 2));
}

#[rstest]
#[case("payments:\n  keyFile: sk_live_51Secret\n")]
#[case("payments:\n  key: rk_test_51Secret\n")]
#[case("payments:\n  endpoint: https://sk_live_51Secret@api.stripe.com\n")]
#[case("http:\n  listen: sk_test_51Secret\n")]
#[case("sk_live_51Secret: yes\n")]
fn a_key_put_into_the_file_by_mistake_is_never_repeated(#[case] text: &str) {
    let error = Config::parse(text).unwrap_err();
    assert!(!format!("{error} {error:?}").contains("51Secret"), "{error}");
}

#[test]
fn a_file_is_named_in_its_error() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("innkeeper.yaml");
    let missing = Config::load(&file).unwrap_err().to_string();
    assert!(missing.contains("innkeeper.yaml") && missing.contains("No such file"), "{missing}");
    std::fs::write(&file, "log: {filter: inof}").unwrap();
    let wrong = Config::load(&file).unwrap_err().to_string();
    assert!(wrong.contains("innkeeper.yaml") && wrong.contains("line 1"), "{wrong}");
    std::fs::write(&file, [0xff, 0xfe, 0xfd]).unwrap();
    assert!(matches!(Config::load(&file), Err(ConfigError::Unreadable { .. })));
    std::fs::write(&file, "log: {filter: debug}").unwrap();
    assert_eq!(Config::load(&file).unwrap().log.filter, "debug");
}

#[test]
fn what_is_written_is_read_back() {
    let text = serde_saphyr::to_string(&Config::default()).unwrap();
    assert_eq!(Config::parse(&text).unwrap(), Config::default());
}

fn leaves(prefix: &str, schema: &Value, found: &mut Vec<String>) {
    match schema["properties"].as_object() {
        Some(properties) => {
            for (name, schema) in properties {
                let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
                assert!(schema["description"].is_string(), "{path} has no description");
                leaves(&path, schema, found);
            }
        }
        None => found.push(prefix.to_owned()),
    }
}

#[test]
fn every_field_has_a_rule_and_every_rule_a_field() {
    let mut fields = Vec::new();
    leaves("", &reference::schema(), &mut fields);
    let mut ruled: Vec<String> = rules::FIELDS.iter().map(|field| field.path.to_owned()).collect();
    ruled.sort();
    fields.sort();
    assert_eq!(fields, ruled);
}

/// `UPDATE_GENERATED=1 cargo test -p innkeeper-ops reference` writes the page anew.
#[test]
fn the_reference_in_docs_is_the_generated_one() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/configuration.md");
    let page = Config::reference();
    if std::env::var_os("UPDATE_GENERATED").is_some() {
        std::fs::create_dir_all(Path::new(file).parent().unwrap()).unwrap();
        std::fs::write(file, &page).unwrap();
    }
    let stored = std::fs::read_to_string(file).unwrap_or_default();
    assert!(
        stored == page,
        "docs/configuration.md has drifted; run: UPDATE_GENERATED=1 cargo test -p innkeeper-ops reference"
    );
}
