//! The API keeps what its own document says, whatever is sent to it.

use super::Server;
use crate::schemathesis::Contract;

#[test]
fn it_answers_as_it_is_described() {
    let server = Server::start();
    let contract = Contract {
        document: &server.url("/v1/openapi.json"),
        base: &server.url(""),
        token: Some(&server.token),
        // A stream without an end is heard by `crowd` and `story`.
        except: &["/v1/events"],
        examples: 25,
    };
    contract.assert_kept();
    assert!(!server.log().contains("panicked"), "{}", server.log());
}
