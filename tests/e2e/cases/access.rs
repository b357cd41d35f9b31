//! Who may do what in a hotel, tried by impersonation.

use jiff::civil::date;

use crate::support::World;
use crate::support::hotel::Hotel;
use crate::support::report::say;
use crate::support::until;

/// Who: the name of the test's user, and the `ClusterRole` that is bound to it in the hotel.
const ROLES: [(&str, &str); 4] = [
    ("viewer", "view"),
    ("editor", "edit"),
    ("administrator", "admin"),
    ("reception", "innkeeper-front-desk"),
];

/// What is tried, and who may: viewer, editor, administrator, reception, and somebody with no role at all.
const MATRIX: &[(&[&str], [bool; 5])] = &[
    (&["get", "rooms"], [true, true, true, true, false]),
    (&["get", "reservations"], [true, true, true, true, false]),
    (&["get", "roomcalendars"], [true, true, true, true, false]),
    (&["create", "-f", "examples/booked.yaml"], [false, true, true, true, false]),
    (
        &["patch", "rsv", "kim", "--type=merge", "-p", r#"{"spec":{"state":"Cancelled"}}"#],
        [false, true, true, true, false],
    ),
    (&["delete", "rsv", "kim"], [false, true, true, true, false]),
    (
        &["patch", "room", "double", "--type=merge", "-p", r#"{"spec":{"units":3}}"#],
        [false, true, true, false, false],
    ),
    (&["delete", "room", "spare"], [false, true, true, false, false]),
    // Nobody writes a status, or a calendar: those are the operator's.
    (
        &[
            "patch",
            "rsv",
            "kim",
            "--subresource=status",
            "--type=merge",
            "-p",
            r#"{"status":{"phase":"Confirmed"}}"#,
        ],
        [false; 5],
    ),
    (
        &[
            "patch",
            "room",
            "double",
            "--subresource=status",
            "--type=merge",
            "-p",
            r#"{"status":{"staysAhead":0}}"#,
        ],
        [false; 5],
    ),
    (
        &[
            "patch",
            "roomcalendar",
            "double-2031-05",
            "--type=json",
            "-p",
            r#"[{"op":"replace","path":"/spec/nights/0/holders","value":[]}]"#,
        ],
        [false; 5],
    ),
    (&["delete", "roomcalendar", "double-2031-05"], [false; 5]),
];

/// Every role against every act; nothing is really changed.
pub async fn matrix(world: &World) {
    world.installed();
    let hotel = Hotel::open(world, "access");
    hotel.room("double", 2).await;
    hotel.room("spare", 1).await;
    hotel.reserve("kim", "double", (date(2031, 5, 1), date(2031, 5, 2)), "pm_card_visa").await.unwrap();
    hotel.settled("kim", &innkeeper_api::Reason::Confirmed).await;
    for (user, role) in ROLES {
        let (role, user_flag) = (format!("--clusterrole={role}"), format!("--user={user}"));
        world.kubectl(&["-n", &hotel.namespace, "create", "rolebinding", user, &role, &user_flag]);
    }
    // The controller of the cluster puts our rules into its own roles a moment after they were applied.
    for user in ["viewer", "editor", "administrator", "reception"] {
        until("the roles are aggregated and bound", async || attempt(world, &hotel, user, MATRIX[0].0)).await;
    }
    let (mut allowed, mut denied) = (0, 0);
    for (act, who) in MATRIX {
        for (user, may) in ["viewer", "editor", "administrator", "reception", "nobody"].iter().zip(who) {
            match attempt(world, &hotel, user, act) {
                Ok(()) => {
                    assert!(may, "{user} may `{}`", act.join(" "));
                    allowed += 1;
                }
                Err(said) => {
                    assert!(!may && said.contains("Forbidden"), "{user}, `{}`: {said}", act.join(" "));
                    denied += 1;
                }
            }
        }
    }
    // The processes' own identities, on what is none of their business.
    let other: [(&str, &[&str]); 17] = [
        ("innkeeper-operator", &["get", "secrets"]),
        ("innkeeper-operator", &["get", "pods"]),
        ("innkeeper-operator", &["delete", "rsv", "kim"]),
        ("innkeeper-operator", &["create", "-f", "examples/booked.yaml"]),
        (
            "innkeeper-operator",
            &["patch", "rsv", "kim", "--type=merge", "-p", r#"{"spec":{"state":"Cancelled"}}"#],
        ),
        ("innkeeper-operator", &["patch", "room", "double", "--type=merge", "-p", r#"{"spec":{"units":3}}"#]),
        ("innkeeper-gateway", &["get", "secrets"]),
        ("innkeeper-gateway", &["get", "pods"]),
        ("innkeeper-gateway", &["delete", "rsv", "kim"]),
        (
            "innkeeper-gateway",
            &["patch", "rsv", "kim", "--type=merge", "-p", r#"{"spec":{"ttlAfterFinished":"0s"}}"#],
        ),
        ("innkeeper-gateway", &["annotate", "rsv", "kim", "innkeeper.dev/retry-refund=2"]),
        ("innkeeper-gateway", &["patch", "room", "double", "--type=merge", "-p", r#"{"spec":{"units":3}}"#]),
        ("innkeeper-keys", &["get", "secrets"]),
        ("innkeeper-issuer", &["get", "secrets"]),
        ("innkeeper-issuer", &["get", "reservations"]),
        ("innkeeper-payments", &["get", "reservations"]),
        ("default", &["get", "reservations"]),
    ];
    for (account, act) in other {
        let user = format!("system:serviceaccount:{}:{account}", crate::support::SYSTEM);
        let said = attempt(world, &hotel, &user, act).expect_err("it is denied");
        assert!(said.contains("Forbidden"), "{account}, `{}`: {said}", act.join(" "));
        denied += 1;
    }
    say!("  {allowed} acts allowed, {denied} denied, as they should be");
}

/// Tries it as this user, without carrying it out.
fn attempt(world: &World, hotel: &Hotel, user: &str, act: &[&str]) -> Result<(), String> {
    let text = std::fs::read_to_string(format!("{}/examples/booked.yaml", crate::support::PROJECT)).unwrap();
    let creates = act[0] == "create";
    let mut arguments = vec!["-n", &hotel.namespace, "--as", user, "--as-group", "system:authenticated"];
    if user.starts_with("system:serviceaccount:") {
        arguments.extend(["--as-group", "system:serviceaccounts"]);
    }
    arguments.push(act[0]);
    arguments.extend(if creates { &["-f", "-"][..] } else { &act[1..] });
    if act[0] != "get" {
        arguments.push("--dry-run=server");
    }
    let mut command = world.kubectl_command(&arguments);
    command.stdin(std::process::Stdio::piped());
    command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    if creates {
        let text = text.replace("namespace: seaside", &format!("namespace: {}", hotel.namespace));
        std::io::Write::write_all(&mut input, text.as_bytes()).unwrap();
    }
    drop(input);
    let output = child.wait_with_output().unwrap();
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
}
