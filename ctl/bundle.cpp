// SPDX-License-Identifier: Apache-2.0
#include "bundle.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <string_view>

#include <fcntl.h>
#include <unistd.h>

namespace usher::ctl {
namespace {

constexpr std::size_t block_bytes = 512; // tar is made of these

/// Where a value stands in a header, by POSIX.1-1988.
struct Field {
    std::size_t at;
    std::size_t size;
};
constexpr Field name_field{0, 100};
constexpr Field mode_field{100, 8};
constexpr Field owner_field{108, 8};
constexpr Field group_field{116, 8};
constexpr Field size_field{124, 12};
constexpr Field time_field{136, 12};
constexpr Field sum_field{148, 8};
constexpr Field type_field{156, 1};
constexpr Field magic_field{257, 8};

void put(std::string& header, Field field, std::string_view text)
{
    const std::size_t size = std::min(text.size(), field.size);
    header.replace(field.at, size, text.substr(0, size));
}

void put_octal(std::string& header, Field field, unsigned long long value)
{
    std::array<char, 16> digits{};
    std::snprintf(digits.data(), digits.size(), "%0*llo", static_cast<int>(field.size) - 1, value);
    put(header, field, digits.data());
}

std::string header_of(BundleFile const& file, long long at)
{
    std::string header(block_bytes, '\0');
    put(header, name_field, file.name);
    put_octal(header, mode_field, 0600);
    put_octal(header, owner_field, 0);
    put_octal(header, group_field, 0);
    put_octal(header, size_field, file.text.size());
    put_octal(header, time_field, static_cast<unsigned long long>(std::max(at, 0LL)));
    put(header, sum_field, "        "); // as it is summed up
    put(header, type_field, "0");
    put(header, magic_field,
        std::string_view{
            "ustar\0"
            "00",
            8});
    unsigned sum = 0;
    for (const char byte : header)
        sum += static_cast<unsigned char>(byte);
    put_octal(header, {sum_field.at, 7}, sum);
    header[sum_field.at + 6] = '\0';
    header[sum_field.at + 7] = ' ';
    return header;
}

} // namespace

std::optional<std::string> write_bundle(std::string const& path, std::vector<BundleFile> const& files, long long at)
{
    std::string archive;
    for (BundleFile const& file : files) {
        archive += header_of(file, at) + file.text;
        archive.resize((archive.size() + block_bytes - 1) / block_bytes * block_bytes, '\0');
    }
    archive.resize(archive.size() + 2 * block_bytes, '\0');
    const int descriptor = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (descriptor < 0)
        return std::string{std::strerror(errno)};
    std::string_view rest = archive;
    int error = 0;
    while (!rest.empty() && error == 0) {
        const ssize_t written = ::write(descriptor, rest.data(), rest.size());
        if (written > 0)
            rest.remove_prefix(static_cast<std::size_t>(written));
        else if (errno != EINTR)
            error = errno;
    }
    if (::fsync(descriptor) != 0 && error == 0)
        error = errno;
    if (::close(descriptor) != 0 && error == 0)
        error = errno;
    if (error == 0)
        return std::nullopt;
    ::unlink(path.c_str());
    return std::string{std::strerror(error)};
}

} // namespace usher::ctl
