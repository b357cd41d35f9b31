//! Whether the API server lets somebody do something, and rights for one test's own user.

use std::time::Instant;

use k8s_openapi::api::authorization::v1::{ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec};
use k8s_openapi::api::rbac::v1::{PolicyRule, Role, RoleBinding, RoleRef, Subject};
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, Client, ResourceExt};

use super::PATIENCE;

/// Whether the API server lets a user do what a rule is about in a namespace.
pub async fn may(client: &Client, user: &str, namespace: &str, rule: &PolicyRule, verb: &str) -> bool {
    let first = |list: &Option<Vec<String>>| list.iter().flatten().next().cloned();
    let (resource, subresource) = match first(&rule.resources).unwrap().split_once('/') {
        Some((resource, sub)) => (resource.to_owned(), Some(sub.to_owned())),
        None => (first(&rule.resources).unwrap(), None),
    };
    let attributes = ResourceAttributes {
        group: first(&rule.api_groups),
        resource: Some(resource),
        subresource,
        name: first(&rule.resource_names),
        namespace: Some(namespace.to_owned()),
        verb: Some(verb.to_owned()),
        ..ResourceAttributes::default()
    };
    let spec = SubjectAccessReviewSpec {
        resource_attributes: Some(attributes),
        user: Some(user.to_owned()),
        ..SubjectAccessReviewSpec::default()
    };
    let review = SubjectAccessReview { spec, ..SubjectAccessReview::default() };
    let reviews: Api<SubjectAccessReview> = Api::all(client.clone());
    reviews.create(&PostParams::default(), &review).await.unwrap().status.unwrap().allowed
}

/// Asks again until it is so.
pub async fn until(what: &str, is: impl AsyncFn() -> bool) {
    let begun = Instant::now();
    while !is().await {
        assert!(begun.elapsed() < PATIENCE, "it never came to this: {what}");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

/// One verb of one rule.
#[derive(Clone, Debug)]
pub struct Right {
    rule: usize,
    /// The verb.
    pub verb: String,
    /// The resource, with its subresource.
    pub resource: String,
    /// What the API server says of somebody who lacks it.
    pub words: String,
}

impl Right {
    /// Every right that these rules give.
    pub fn all(rules: &[PolicyRule]) -> Vec<Self> {
        let of = |(rule, given): (usize, &PolicyRule)| {
            let resource = given.resources.as_ref().unwrap()[0].clone();
            let right = move |verb: &String| Self {
                rule,
                verb: verb.clone(),
                words: format!("cannot {verb} resource \"{resource}\""),
                resource: resource.clone(),
            };
            given.verbs.iter().map(right).collect::<Vec<_>>()
        };
        rules.iter().enumerate().flat_map(of).collect()
    }
}

/// Gives a user all of these rights but one in a namespace, and waits until the API server has seen it.
pub async fn all_but(client: &Client, user: &str, namespace: &str, rules: &[PolicyRule], right: &Right) {
    let mut left = rules.to_vec();
    left[right.rule].verbs.retain(|verb| *verb != right.verb);
    left.retain(|rule| !rule.verbs.is_empty());
    let metadata = ObjectMeta { name: Some("of-the-test".to_owned()), ..ObjectMeta::default() };
    let role = Role { metadata: metadata.clone(), rules: Some(left.clone()) };
    let api_group = "rbac.authorization.k8s.io".to_owned();
    let role_ref = RoleRef { api_group: api_group.clone(), kind: "Role".to_owned(), name: role.name_any() };
    let kind = "User".to_owned();
    let subject = Subject { api_group: Some(api_group), kind, name: user.to_owned(), namespace: None };
    let binding = RoleBinding { metadata, role_ref, subjects: Some(vec![subject]) };
    Api::namespaced(client.clone(), namespace).create(&PostParams::default(), &role).await.unwrap();
    Api::namespaced(client.clone(), namespace).create(&PostParams::default(), &binding).await.unwrap();
    for rule in &left {
        for verb in &rule.verbs {
            until("the role is seen", async || may(client, user, namespace, rule, verb).await).await;
        }
    }
    let taken = &rules[right.rule];
    assert!(!may(client, user, namespace, taken, &right.verb).await, "{} is given twice", right.words);
}

/// The message with which something was forbidden; fails where it was not.
pub fn forbidden<T: std::fmt::Debug>(result: Result<T, kube::Error>, what: &str) -> String {
    match result {
        Err(kube::Error::Api(status)) => {
            assert_eq!(status.code, 403, "{what}: {status:?}");
            status.message
        }
        other => panic!("{what}: {other:?}"),
    }
}
