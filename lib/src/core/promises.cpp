// SPDX-License-Identifier: Apache-2.0
#include <usher/core/promises.hpp>

#include <algorithm>
#include <array>
#include <map>

#include <usher/core/readiness.hpp>

namespace usher {

namespace {

/// Nobody can sign for it before its row or the configuration is mended; what is published stays until it ends.
bool is_unservable(MeetingSnapshot const& meeting)
{
    return meeting.state == State::failed && (meeting.reason == "unknown_project" || meeting.reason == "row_invalid");
}

/// Collects what is wrong with the published tokens of a meeting.
class TokenCheck {
public:
    TokenCheck(MeetingEvidence const& evidence, Projects const& projects, SignatureCheck const& verify, sys_seconds now)
        : evidence_{evidence}, projects_{projects}, verify_{verify}, now_{now}
    {
        for (ParticipantRow const& participant : evidence.meeting.participants)
            if (participant.present)
                present_.emplace(participant.id, &participant);
    }

    void check(Credential const& credential)
    {
        MeetingSnapshot const& meeting = evidence_.meeting;
        const auto found = present_.find(credential.participant_id);
        // P5 holds at every instant, settled or not.
        if (!meeting.meeting || meeting.meeting->cancelled)
            report("P5", credential, "is published though the meeting is cancelled or gone");
        if (found == present_.end())
            return report("P5", credential, "is published though the participant is gone");
        ParticipantRow const* const participant = found->second;
        if (participant->blocked)
            report("P5", credential, "is published though the participant is blocked");
        if (!participant->role || credential.role != to_text(*participant->role))
            report("P5", credential, "is published with another role than the participant's");
        if (!meeting.published || credential.session_id != meeting.published->session_id)
            report("P4", credential, "is for another session than the published one");
        if (const auto verified = verify_(credential.project, credential); !verified)
            report("P1", credential, verified.error().message);
        if (evidence_.due)
            return;

        ProjectFacts const* const project = projects_.find(credential.project);
        if (credential.issued_at > now_)
            report("P1", credential, "was issued in the future");
        if (credential.expires_at <= now_)
            report("P1", credential, "is expired");
        if (meeting.closes && credential.expires_at > *meeting.closes)
            report("P2", credential, "expires after the meeting closes");
        if (credential.expires_at - credential.issued_at >= std::chrono::days{30})
            report("P2", credential, "lives for 30 days or more");
        if (project == nullptr)
            return;
        if (credential.expires_at - credential.issued_at > project->policy.max_token_life)
            report("P2", credential, "lives longer than the project's tokens may");
        if (participant->token &&
            participant->token->fingerprint != fingerprint_of(*participant, credential.session_id, project->format))
            report("P1", credential, "does not carry the participant's current details");
        if (meeting.closes) {
            const bool outlives = credential.expires_at >= *meeting.closes;
            if (!outlives && !is_unservable(meeting) && credential.expires_at - now_ < project->policy.rotation_margin)
                report("P3", credential, "has less than the rotation margin left");
        }
    }

    std::vector<Violation> found() && { return std::move(found_); }

private:
    void report(std::string promise, Credential const& credential, std::string const& what)
    {
        found_.push_back(
            {std::move(promise), evidence_.meeting.id, "the token of " + credential.participant_id + " " + what}
        );
    }

    MeetingEvidence const& evidence_;
    Projects const& projects_;
    SignatureCheck const& verify_;
    sys_seconds now_;
    std::map<std::string_view, ParticipantRow const*> present_;
    std::vector<Violation> found_;
};

} // namespace

Result<void> check_token(TokenSigner const& signer, Credential const& credential)
{
    if (auto verified = signer.verify(credential.token); !verified)
        return verified;
    const Result<DecodedToken> token = decode_token(credential.token, std::array{signer.format()});
    if (!token)
        return tl::unexpected{token.error()};
    const bool matches = token->session_id == credential.session_id && token->role == credential.role &&
                         token->expires_at == unix_seconds(credential.expires_at) &&
                         token->issued_at == unix_seconds(credential.issued_at) &&
                         token->project_key == credential.project_key;
    if (!matches)
        return fail(Errc::token_malformed, "does not say what its row says");
    return {};
}

std::vector<Violation>
check_promises(MeetingEvidence const& evidence, Projects const& projects, SignatureCheck const& verify, sys_seconds now)
{
    MeetingSnapshot const& meeting = evidence.meeting;
    TokenCheck tokens{evidence, projects, verify, now};
    std::map<std::string_view, int> published;
    for (Credential const& credential : evidence.published) {
        tokens.check(credential);
        ++published[credential.participant_id];
    }
    std::vector<Violation> found = std::move(tokens).found();
    const auto report = [&](std::string promise, std::string what) {
        found.push_back({std::move(promise), meeting.id, std::move(what)});
    };
    for (auto const& [participant, tokens_of_it] : published)
        if (tokens_of_it > 1)
            report("P1", std::string{participant} + " has more than one published token");
    if (evidence.due)
        return found;

    if (meeting.has_foreign_session)
        report("P13", "publishes a session that somebody else wrote");
    if (meeting.meeting && !meeting.meeting->fault.empty() &&
        (meeting.state != State::failed || meeting.reason != "row_invalid"))
        report("P13", "has a row that the contract would refuse and is not told so: " + meeting.meeting->fault);
    const bool explained = !meeting.reason.empty() && !meeting.detail.empty();
    if (meeting.state == State::pending || meeting.state == State::failed) {
        if (!explained)
            report("P8", "is not ready and does not say why");
        return found;
    }
    // A row with a fault was told of above; its numbers may be too large to count with.
    if (!meeting.meeting || meeting.meeting->cancelled || !meeting.meeting->fault.empty())
        return found;
    ProjectFacts const* const project = projects.find(meeting.meeting->project);
    const Schedule schedule =
        schedule_of(meeting.id, *meeting.meeting, project != nullptr ? project->policy : projects.base);
    if (wanted_at(schedule, now) != Wanted::session_and_tokens)
        return found;
    if (!meeting.published)
        report("P1", "has no published session though its tokens are wanted");
    if (meeting.state != State::ready)
        report("P8", "has tokens and is " + std::string{to_text(meeting.state)});
    Policy const& policy = project != nullptr ? project->policy : projects.base;
    const auto before_door = [&](ParticipantRow const& participant) {
        return policy.visible_at_opens && participant.role &&
               now < door_of(*meeting.meeting, *participant.role, policy);
    };
    for (ParticipantRow const& participant : meeting.participants)
        if (participant.present && !participant.blocked && participant.problem.empty() &&
            !published.contains(participant.id) && !before_door(participant))
            report("P1", participant.id + " has no published token and no reason");
    return found;
}

} // namespace usher
