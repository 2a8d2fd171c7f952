namespace Orchard.Contracts;

public record PackOrder
{
    public System.Guid CommandId { get; init; }
    public string? Order { get; init; }
}

public record ShipOrder
{
    public System.Guid CommandId { get; init; }
    public string? Order { get; init; }
}
