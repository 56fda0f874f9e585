// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <vector>

#include <usher/core/meeting.hpp>
#include <usher/core/plan.hpp>

namespace usher {

/// A row of `join_credential`.
struct Credential {
    std::string participant_id;
    std::string project;
    std::string project_key;
    std::string session_id;
    std::string token;
    std::string role;
    sys_seconds issued_at;
    sys_seconds expires_at;
};

/// One meeting's rows and what platforms read of it, at one instant.
struct MeetingEvidence {
    MeetingSnapshot meeting;
    bool due = false; ///< Not settled: the promises that need a pass do not hold yet.
    std::vector<Credential> published;
};

/// Whether a token bears the signature of the project's key and says what its row says.
using SignatureCheck = std::function<Result<void>(std::string_view project, Credential const&)>;

/// Whether the token bears the signature of `signer` and says what its row says: session, role, times, project key.
Result<void> check_token(TokenSigner const& signer, Credential const& credential);

struct Violation {
    std::string promise; ///< P1 … P8
    std::string meeting_id;
    std::string what;
};

/// Checks P1–P5 and P8 of one meeting; P4 across meetings is a UNIQUE constraint of the schema.
std::vector<Violation> check_promises(
    MeetingEvidence const& evidence, Projects const& projects, SignatureCheck const& verify, sys_seconds now
);

} // namespace usher
