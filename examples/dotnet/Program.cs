// A .NET service beside Orchard: it takes events, sends a command over the broker, and asks the gateway what became of it.
//
//     dotnet run -- amqp://guest:guest@localhost:5672 http://localhost:8090
using MassTransit;
using Orchard.Contracts;
using Refit;

namespace Example;

internal static class Program
{
    private static async Task Main(string[] args)
    {
        var broker = new Uri(args.ElementAtOrDefault(0) ?? "amqp://guest:guest@localhost:5672");
        var gateway = args.ElementAtOrDefault(1) ?? "http://localhost:8090";

        var bus = Bus.Factory.CreateUsingRabbitMq(configure =>
        {
            configure.Host(broker);
            // An endpoint is a queue: give it a name of your own, not the name of one of Orchard's contexts.
            configure.ReceiveEndpoint("example-users", endpoint =>
            {
                endpoint.Handler<UserCreated>(context => Say($"{context.Message.Name}, by command {context.Message.CorrelationId}"));
                endpoint.Handler<Fault<CreateUser>>(context => Say($"refused: {context.Message.Exceptions[0].Message}"));
            });
        });
        await bus.StartAsync();

        // `exchange:` declares no queue, so nothing that Orchard has set up can be in its way.
        var accounts = await bus.GetSendEndpoint(new Uri($"exchange:{Endpoints.Accounts}"));
        var command = new CreateUser { Email = $"{Guid.NewGuid():N}@example.org", Name = "Ann" };
        await accounts.Send(command);

        // A command is known once Orchard has taken it from its queue; until then this is a 404.
        var api = RestService.For<IOrchardApi>(gateway, OrchardApi.Settings);
        for (var attempt = 0; attempt < 50; attempt++)
        {
            var answer = await api.CommandIfChanged(command.CommandId);
            if (answer.Content is { State: not (CommandState.Accepted or CommandState.Processing) } status)
            {
                Console.WriteLine($"{status.Command} is {status.State} {status.Reason}");
                break;
            }
            await Task.Delay(TimeSpan.FromMilliseconds(100));
        }

        await foreach (var user in api.AllUsers(limit: 100))
        {
            Console.WriteLine($"{user.UserId} {user.Email}");
        }
        await bus.StopAsync();
    }

    private static Task Say(string text)
    {
        Console.WriteLine(text);
        return Task.CompletedTask;
    }
}
