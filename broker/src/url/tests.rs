use super::*;

#[test]
fn urls_are_shown_without_a_password() {
    let url: BrokerUrl = "amqp://me:secret@host:5673/my%2fvhost".parse().unwrap();
    assert_eq!(url.to_string(), "amqp://host:5673/my%2fvhost");
    let error = "http://me:secret@host".parse::<BrokerUrl>().unwrap_err().to_string();
    assert!(!error.contains("secret") && error.contains("http://…@host"), "{error}");
}

#[test]
fn certificates_come_with_the_url() {
    let url: BrokerUrl = "amqps://host/?cacertfile=ca.pem&certfile=c.pem&keyfile=k.pem".parse().unwrap();
    assert_eq!((url.ca, url.key), (Some("ca.pem".into()), Some("k.pem".into())));
    assert!("amqps://host/?certfile=c.pem".parse::<BrokerUrl>().is_err());
    assert!("amqp://host/?cacertfile=c.pem".parse::<BrokerUrl>().is_err());
}

#[test]
fn an_invalid_url_says_how_to_write_one() {
    for wrong in
        ["", "localhost", "localhost:5672", "http://localhost", "amqp://host:port", "amqp://host:99999"]
    {
        let error = wrong.parse::<BrokerUrl>().unwrap_err();
        assert!(matches!(error, BrokerError::Url { .. }) && !error.is_temporary(), "{wrong}: {error:?}");
        assert!(error.to_string().contains("amqp://USER:PASSWORD@HOST:PORT/VHOST"), "{error}");
    }
}
