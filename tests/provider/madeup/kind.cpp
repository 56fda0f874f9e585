// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <memory>

#include <usher/crypto/hmac.hpp>

#include "provider/madeup/madeup.hpp"

namespace usher::madeup {

namespace {

KeyFinding check_workspace(std::string_view text)
{
    if (!std::all_of(text.begin(), text.end(), [](char c) { return (c >= 'a' && c <= 'z') || c == '-'; }))
        return {"expected a workspace, which is lower-case letters and '-'", {}};
    return {};
}

KeyFinding check_signing_key(std::string_view secret)
{
    if (!secret.starts_with("mu_"))
        return {"is no signing key, which begins with mu_", {}};
    if (secret.size() < 16)
        return {{}, "the signing key is short"};
    return {};
}

constexpr std::array<std::string_view, 2> regions{"north", "south"};

constexpr std::array credentials{
    KeyDeclaration{"workspace", TextKey{"a workspace", check_workspace}, true},
    KeyDeclaration{"signing_key", SecretKey{check_signing_key}, true},
};
constexpr std::array connection{
    KeyDeclaration{"region", ChoiceKey{regions}},
    KeyDeclaration{"room_prefix", TextKey{"the beginning of rooms' names", nullptr, "room"}},
    KeyDeclaration{"patience", DurationKey{seconds{1}, seconds{60}, seconds{10}}},
};
constexpr std::array formats{TokenFormat{format}};

class MadeupProvider final : public Provider {
public:
    MadeupProvider(bool calls, std::string room_prefix, std::string key, std::shared_ptr<HttpTransport> transport)
        : calls_{calls}, room_prefix_{std::move(room_prefix)}, key_{std::move(key)}, transport_{std::move(transport)}
    {}

    bool needs_network() const override { return calls_; }
    bool can_disconnect() const override { return true; }

    boost::asio::awaitable<CreateOutcome> create_session(SessionOrder order) override
    {
        const std::string room = room_prefix_ + "-" + std::to_string(order.entropy[0]);
        CreateOutcome outcome{room};
        if (calls_) {
            const auto reply = co_await send("PUT", "/rooms/" + room);
            if (!reply)
                outcome.session_id = tl::unexpected{reply.error()};
        }
        co_return outcome;
    }

    std::unique_ptr<Emptier> emptier(std::string session_id) override
    {
        return std::make_unique<RoomEmptier>(*this, std::move(session_id));
    }

private:
    /// By one request.
    class RoomEmptier final : public Emptier {
    public:
        RoomEmptier(MadeupProvider& vendor, std::string room) : vendor_{vendor}, room_{std::move(room)} {}

        boost::asio::awaitable<DisconnectOutcome> go_on(SessionOrder, std::function<bool()> turn) override
        {
            DisconnectOutcome outcome{std::size_t{0}};
            if (!turn())
                co_return outcome;
            const auto reply = co_await vendor_.send("DELETE", "/rooms/" + room_ + "/people");
            if (reply)
                outcome.disconnected = std::stoul(*reply);
            else
                outcome.disconnected = tl::unexpected{reply.error()};
            co_return outcome;
        }

    private:
        MadeupProvider& vendor_;
        std::string room_;
    };

    boost::asio::awaitable<tl::expected<std::string, ProviderFailure>> send(std::string method, std::string target)
    {
        HttpRequest request{std::move(method), std::move(target), {{"X-Key", key_}}, {}};
        const auto reply = co_await transport_->send(std::move(request));
        if (!reply)
            co_return tl::unexpected{ProviderFailure{
                FailureKind::ambiguous, "provider_unreachable", reply.error().message, false, std::nullopt, false}};
        if (reply->status >= 300)
            co_return tl::unexpected{ProviderFailure{
                FailureKind::transient, "provider_error", "the made-up vendor answers " + std::to_string(reply->status),
                false, std::nullopt, false}};
        co_return reply->body;
    }

    bool calls_;
    std::string room_prefix_;
    std::string key_;
    std::shared_ptr<HttpTransport> transport_;
};

template <bool calls>
ProviderKind::Made make(Settings const& settings, TokenSigner const&, seconds, ProviderDoors const& doors)
{
    TransportSettings transport;
    transport.base_url = "https://" + std::string{regions.at(settings.choice("region"))} + ".madeup.example";
    transport.total_timeout = settings.duration("patience");
    auto made = doors.transport(std::move(transport));
    if (!made)
        return tl::unexpected{std::move(made.error())};
    return std::make_shared<MadeupProvider>(
        calls, settings.text("room_prefix"), std::string{settings.secret("signing_key").reveal()}, std::move(*made)
    );
}

Result<TokenSigner> signer(std::string_view, Settings const& settings, TokenFormat chosen)
{
    std::string const& workspace = settings.text("workspace");
    const std::string_view secret = settings.secret("signing_key").reveal();
    return TokenSigner{SignerParts{
        chosen, workspace, to_hex(sha256(secret)).substr(0, 16), chosen.declared().by_secret(workspace, secret)}};
}

constexpr ProviderDeclaration declare(std::string_view name, bool orders_sessions)
{
    return ProviderDeclaration{
        .name = name,
        .credentials = credentials,
        .project_key = "workspace",
        .secret = "signing_key",
        .connection = connection,
        .orders_sessions = orders_sessions,
        .disconnects = true,
        .life_limit = seconds{12 * 3600},
        .formats = formats,
        .standard_format = TokenFormat{format},
        .signer = signer,
    };
}

} // namespace

constexpr ProviderKind kind{declare("madeup", false), make<false>};
constexpr ProviderKind kind_with_calls{declare("madeup-classic", true), make<true>};

} // namespace usher::madeup
