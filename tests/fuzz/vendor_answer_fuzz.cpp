// SPDX-License-Identifier: Apache-2.0
// Hostile answers of the vendor. The first byte chooses status and host, the first line is a header, the rest the body.
// Whatever is read may stand in a path; whatever is said of it is short, harmless and without our credential.
#include <cstdlib>
#include <string>
#include <string_view>

#include <usher/core/printable.hpp>
#include <usher/provider/redaction.hpp>
#include <usher/provider/vendor_wire.hpp>

namespace {

using namespace usher;

constexpr std::string_view jwt =
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiI0NzY2NTk3MSJ9.SflKxwRJSMeKKF2QT4fw-pMeJf36_k6yJV";

void require(bool condition)
{
    if (!condition)
        std::abort();
}

void check(ProviderFailure const& failure)
{
    require(!failure.reason.empty() && failure.detail.size() < 4096);
    require(printable(failure.detail, failure.detail.size()) == failure.detail);
    for (std::size_t i = 0; i + 12 <= jwt.size(); ++i) // at least eight letters and digits
        require(failure.detail.find(jwt.substr(i, 12)) == std::string::npos);
    require(!failure.retry_after || (failure.retry_after->count() >= 0 && *failure.retry_after <= seconds{86400}));
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(unsigned char const* data, std::size_t size)
{
    constexpr int statuses[] = {200, 401, 403, 404, 429, 500, 302, 400};
    if (size == 0)
        return 0;
    const std::string_view input{reinterpret_cast<char const*>(data), size};
    const auto choice = static_cast<unsigned char>(input[0]);
    const std::string_view rest = input.substr(1);
    const std::size_t line = rest.find('\n');
    const std::string header{rest.substr(0, line)};
    const std::string body{line == std::string_view::npos ? "" : rest.substr(line + 1)};
    const VendorHost host = (choice & 8U) != 0 ? VendorHost::vonage : VendorHost::opentok;
    const HttpReply reply{statuses[choice & 7U], {{"Date", header}, {"Retry-After", header}}, body};
    const CallContext context{
        host, "vendor.example", "47665971", sys_seconds{seconds{1'700'000'000}}, std::string{jwt}};

    if (const auto created = read_created(reply, context))
        require(is_path_id(*created));
    else
        check(created.error());
    if (const auto page = read_connections(reply, context)) {
        require(page->listed <= 1000 && page->connected.size() + page->unusable <= page->listed);
        for (std::string const& id : page->connected)
            require(is_path_id(id));
    } else {
        check(page.error());
    }
    if (const auto skewed = clock_failure(reply, context))
        check(*skewed);
    (void)without_credential(input, input.substr(0, 100));
    return 0;
}
