// embed.cc — libhearth from C++17: owners that let go by themselves, and how alike two texts are.
//
//     embed MODEL TEXT TEXT

#include <hearth/hearth.h>

#include <array>
#include <cmath>
#include <cstdio>
#include <memory>
#include <numeric>
#include <stdexcept>

namespace {

struct Disconnect {
    void operator()(hearth_client *client) const
    {
        hearth_disconnect(client);
    }
};
struct Free {
    void operator()(hearth_result *result) const
    {
        hearth_result_free(result);
    }
};
using Client = std::unique_ptr<hearth_client, Disconnect>;
using Result = std::unique_ptr<hearth_result, Free>;

void check(int rc, const hearth_error &err)
{
    if (rc < 0) {
        throw std::runtime_error(err.text);
    }
}

Client connect()
{
    hearth_client *client = nullptr;
    hearth_error err{};
    check(hearth_connect(nullptr, &client, &err), err);
    return Client(client);
}

Result embed(const Client &client, const char *model, const std::array<const char *, 2> &texts)
{
    hearth_request_params params = hearth_request_params_default();
    params.model = model;
    hearth_result *result = nullptr;
    hearth_error err{};
    check(hearth_embed(client.get(), texts.data(), texts.size(), &params, &result, &err), err);
    return Result(result);
}

double dot(const hearth_item &a, const hearth_item &b)
{
    return std::inner_product(a.vector, a.vector + a.dimensions, b.vector, 0.0);
}

} // namespace

int main(int argc, char **argv)
{
    if (argc != 4) {
        std::fprintf(stderr, "usage: embed MODEL TEXT TEXT\n");
        return 2;
    }
    try {
        Client client = connect();
        Result result = embed(client, argv[1], {argv[2], argv[3]});
        const hearth_item &a = *hearth_result_item(result.get(), 0);
        const hearth_item &b = *hearth_result_item(result.get(), 1);
        std::printf("%.4f\n", dot(a, b) / std::sqrt(dot(a, a) * dot(b, b)));
        return 0;
    } catch (const std::exception &problem) {
        std::fprintf(stderr, "embed: %s\n", problem.what());
        return 1;
    }
}
