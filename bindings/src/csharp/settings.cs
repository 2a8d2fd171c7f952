/// <summary>How a client of <see cref="IOrchardApi"/> is set up.</summary>
public static class OrchardApi
{
    /// <summary>Settings for a gateway that asks for no key.</summary>
    public static RefitSettings Settings { get; } = With(static _ => Task.FromResult(""));

    /// <summary>Settings with the key that a gateway asks for; an empty one is not sent.</summary>
    public static RefitSettings With(Func<CancellationToken, Task<string>> key) => new()
    {
        Buffered = true,
        CollectionFormat = CollectionFormat.Multi,
        AuthorizationHeaderValueGetter = async (_, cancellationToken) => await key(cancellationToken).ConfigureAwait(false),
    };
}
